"""What differs between two states of the build engine, figure by figure and row by row."""

from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from c360.desk import Figure, Move, TableChange, comparison

DAY = date(2026, 1, 5)
TABLES = f"""
create schema build_marts; create schema build_scores; create schema build_actions; create schema build_features;
create table build_marts.customer_360 as
select unnest(['cif:1', 'cif:2', 'cif:3']) as customer_key, 'RUN1' as run_id,
    {", ".join(f"null::varchar as {name}" for name in comparison.OF_CUSTOMER)};
create table build_actions.contact_policy as
select unnest(['cif:1', 'cif:2', 'cif:3']) as customer_key,
    {", ".join(f"null::varchar as {name}" for name in comparison.OF_POLICY)};
create table build_scores.customer_scores (
    customer_key varchar, task varchar, band varchar, score double, as_of_date date);
create table build_actions.worklist (
    customer_key varchar, source varchar, is_handed_out boolean, owner varchar, block_reason varchar,
    expected_amount decimal(18, 2));
create table build_marts.household_links (customer_key varchar, related_customer_key varchar, relation varchar);
create view build_marts.seen as from build_marts.customer_360;
insert into build_scores.customer_scores values
    ('cif:1', 'churn', 'low', 0.1001, '2026-01-05'), ('cif:3', 'churn', 'low', 0.2, '2026-01-05');
insert into build_actions.worklist values
    ('cif:2', 'retention', true, 'rm', null, 10), ('cif:3', 'sale', true, 'rm', null, 5);
update build_marts.customer_360 set star_tier = '3', aum_amount = '100.00';
"""
CHANGES = """
delete from build_marts.customer_360 where customer_key = 'cif:2';
update build_marts.customer_360 set star_tier = '4', aum_amount = '200.00' where customer_key = 'cif:1';
update build_marts.customer_360 set run_id = 'RUN2', aum_amount = '100.01' where customer_key = 'cif:3';
update build_scores.customer_scores set score = 0.1002 where customer_key = 'cif:1';
update build_scores.customer_scores set score = 0.21 where customer_key = 'cif:3';
update build_actions.worklist set is_handed_out = false, block_reason = 'capacity' where customer_key = 'cif:3';
"""


def xref(path: Path, *rows: tuple[str, str, date, date | None]) -> Path:
    names = ("party_key", "customer_key", "valid_from", "valid_to")
    types = (pa.string(), pa.string(), pa.date32(), pa.date32())
    columns = zip(*rows, strict=True)
    pq.write_table(pa.table({n: pa.array(c, t) for n, c, t in zip(names, columns, types, strict=True)}), path)
    return path


def test_figures_of_the_customers_and_what_others_would_feel(tmp_path: Path) -> None:
    before, after = tmp_path / "before.duckdb", tmp_path / "after.duckdb"
    for path, statements in ((before, TABLES), (after, TABLES + CHANGES)):
        with duckdb.connect(str(path)) as con:
            con.execute(statements)
    mine, others = comparison.figures(before, after, DAY, {"cif:1", "cif:2"})
    assert [one for one in mine if one.is_changed] == [
        Figure("cif:1", "customer", "star_tier", "3", "4"),
        Figure("cif:2", "customer", "star_tier", "3", None),
        Figure("cif:1", "customer", "aum_amount", "100.00", "200.00"),
        Figure("cif:2", "customer", "aum_amount", "100.00", None),
    ]
    assert Figure("cif:1", "probability", "churn", "0.1", "0.1") in mine
    assert Figure("cif:2", "expected", "retention", "10.00", "10.00") in mine
    # neither a cent nor a rank: what is done with the customer
    assert others == [Figure("cif:3", "worklist", "sale", "rm", "capacity")]
    assert comparison.tables(before, after) == {
        "actions.worklist": TableChange(1, 1),
        "marts.customer_360": TableChange(3, 2),
        "scores.customer_scores": TableChange(2, 2),
    }


def test_records_that_move_on_a_date(tmp_path: Path) -> None:
    early = date(2026, 1, 1)
    before = xref(tmp_path / "a", ("cif:1", "cif:1", early, None), ("online:2", "online:2", early, None))
    after = xref(
        tmp_path / "b",
        ("online:2", "cif:1", DAY, None),
        ("online:2", "online:2", early, DAY),
        ("cif:1", "cif:1", early, None),
    )
    assert comparison.moves(before, after, DAY) == [Move("online:2", "online:2", "cif:1")]
    assert comparison.moves(before, after, early) == []
    assert not comparison.is_equal(before, after)
    assert comparison.is_equal(after, xref(tmp_path / "c", *reversed(_rows(after))))
    assert comparison.records_of(after, DAY, {"cif:1"}) == {"cif:1", "online:2"}
    assert comparison.customers_of(after, DAY, ["online:2", "lead:9"]) == {"cif:1"}


def _rows(path: Path) -> list[tuple[str, str, date, date | None]]:
    return [tuple(row.values()) for row in pq.read_table(path).to_pylist()]
