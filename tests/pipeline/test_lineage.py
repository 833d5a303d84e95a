"""From which columns a published column derives, against what was read out of the SQL by hand."""

import csv
import json
from collections import Counter, defaultdict
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from c360.cli.main import app
from lakehouse import warehouse
from lakehouse.contracts import load_feeds
from lakehouse.errors import Stop
from lakehouse.settings import PROJECT, Settings
from lakehouse.warehouse.derivation import Lineage, read_lineage
from lakehouse.warehouse.provenance import rows_behind
from tests.pipeline.conftest import LAST_OF_HISTORY

TRUTH: dict[str, list[str]] = yaml.safe_load((Path(__file__).parent / "lineage_truth.yml").read_text())


@pytest.fixture(scope="module")
def lineage(history: Settings) -> Lineage:
    return read_lineage(history)


def test_columns_derive_from_what_was_read_by_hand(lineage: Lineage) -> None:
    for column in TRUTH:
        lineage.require(column)
    read = {(column, root) for column, roots in TRUTH.items() for root in roots}
    found = {(column, root) for column in TRUTH for root in lineage.roots(column)}
    assert len(TRUTH) == 60
    assert len(read & found) / len(found) >= 0.97, sorted(found - read)
    assert len(read & found) / len(read) >= 0.95, sorted(read - found)


def test_the_published_table_and_the_command_say_the_same(
    history: Settings, lineage: Lineage, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = defaultdict(set)
    for row in warehouse.query_serving(history, "select * from ops.lineage").to_pylist():
        source = f"{row['source_name']}.{row['source_column']}"
        told[f"{row['schema_name']}.{row['table_name']}.{row['column_name']}"] |= {source} - {"None.None"}
        assert (row["channel"] is None) == (row["source_kind"] not in ("feed", "token"))
    columns = warehouse.query_serving(
        history,
        """
        select schema_name || '.' || table_name || '.' || column_name as name
        from ops.publications
        inner join (select database_name, schema_name, table_name, column_name from duckdb_columns())
            using (schema_name, table_name)
        where database_name = current_database()
        """,
    )
    assert told.keys() == set(columns["name"].to_pylist())
    asked = [*TRUTH, "ops.lineage.source_name"]
    assert {column: told[column] for column in asked} == {column: set(lineage.roots(column)) for column in asked}
    for name, value in history.environment().items():
        monkeypatch.setenv(name, value)
    shown = CliRunner().invoke(app, ["lineage", "marts.customer_360.aum_amount", "--json"])
    assert set(json.loads(shown.stdout)["roots"]) == told["marts.customer_360.aum_amount"]


def test_critical_elements_are_measured_and_say_what_checks_them(history: Settings, lineage: Lineage) -> None:
    with (PROJECT / "dbt_project" / "seeds" / "critical_elements.csv").open(encoding="utf-8") as file:
        chosen = {row["element"] for row in csv.DictReader(file)}
    elements = warehouse.query_serving(history, "select * from ops.critical_elements").to_pylist()
    assert {element["element"] for element in elements} == chosen
    for element in elements:
        table, _, column = element["element"].rpartition(".")
        where = f"where business_date = date '{LAST_OF_HISTORY}'" if ".fct_" in table else ""
        counted = warehouse.query_serving(history, f"select count(*) as a, count({column}) as b from {table} {where}")
        assert [element["row_count"], element["filled_count"]] == list(counted.to_pylist()[0].values()), element
        roots = lineage.roots(element["element"])
        of_feeds = [root for root in roots if root.partition(".")[0] in load_feeds()]
        assert (element["source_columns"] or "").split(", ") == (of_feeds or [""])
        assert element["business_date"] == LAST_OF_HISTORY
        assert (element["raw_gates"] is not None) == bool(of_feeds)
        assert element["mart_gates"] or table != "marts.customer_360"
    (aum,) = (element for element in elements if element["element"] == "marts.customer_360.aum_amount")
    assert "customer_360: holds_for_every_row (aum_amount = deposit_amount + investment_amount)" in aum["data_tests"]
    assert aum["break_count"] is not None and 0.9 < aum["accepted_rate"] <= 1 and aum["late_feeds"] is None
    (consent,) = (element for element in elements if element["element"].endswith("is_marketing_opt_out"))
    assert consent["break_count"] is None and "customers" in consent["source_feeds"]


def test_the_rows_behind_customers_are_their_lines_in_the_files(history: Settings, lineage: Lineage) -> None:
    """Held against the landed files, read as text: every line of their accounts, and no other."""
    feeds = lineage.feeds("marts.customer_360.deposit_amount")
    assert {"balances", "transactions"} & set(feeds)
    owners = warehouse.query_serving(
        history,
        "select customer_key from marts.dim_account where customer_key is not null "
        "group by customer_key order by count(*) desc, customer_key limit 3",
    )["customer_key"].to_pylist()
    for key in owners:
        (accounts, postings) = (Counter(), Counter())
        for behind in rows_behind(history, key, ["accounts", "transactions"]):
            (file,) = history.landing.glob(f"*/{behind.file}")
            lines = file.read_text(load_feeds()[behind.feed].encoding).splitlines()
            numbers = [n for part in behind.lines.split(", ") for n in numbers_of(part)]
            assert len(numbers) == behind.row_count
            column = lines[0].split("|").index("account_no")
            found = accounts if behind.feed == "accounts" else postings
            found.update(lines[number - 1].split("|")[column] for number in numbers)
        assert accounts and postings and postings.keys() <= accounts.keys()
        every = Counter(
            line.split("|")[1]
            for file in (history.landing / "transactions").glob("*_v1.dat")
            if file.name < "transactions_2025-03"
            for line in file.read_text(load_feeds()["transactions"].encoding).splitlines()[1:]
            if line.split("|")[1] in accounts
        )
        assert postings == every
    with pytest.raises(Stop, match="no record belongs to cif:nobody"):
        rows_behind(history, "cif:nobody")


def numbers_of(part: str) -> range:
    first, _, last = part.partition("-")
    return range(int(first), int(last or first) + 1)
