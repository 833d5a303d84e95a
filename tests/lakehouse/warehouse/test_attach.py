"""What dbt reads is exactly what the pin knows, with the contract's types, on both engines."""

from datetime import date, timedelta
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from lakehouse import lake, warehouse
from lakehouse.catalog import CUSTOMER_XREF, SCORES
from lakehouse.contracts import load_feeds
from lakehouse.settings import PROJECT
from lakehouse.warehouse.relations import lake_tables, small_tables
from tests.lakehouse.warehouse import handmade_lake as bank

DAY = date(2026, 3, 2)
NEXT = DAY + timedelta(days=1)


@pytest.fixture
def delivered(any_settings):
    """Two versions of a day, a snapshot per day, rejects, a rejected file, and one feed that came empty."""
    root = any_settings.lake
    reject = {
        "feed": "transactions",
        "period": str(DAY),
        "version": 1,
        "file": "transactions.dat",
        "row": 7,
        "column_name": "amount",
        "reason": "invalid_type",
        "raw_text": "T7|A1|abc",
    }
    bank.deliver(root, "transactions", DAY, [bank.posting(n, DAY) for n in range(3)], rejects=[reject])
    bank.deliver(root, "transactions", NEXT, [bank.posting(9, DAY, "12.34")], version=2, period=str(DAY))
    for day in (DAY, NEXT):
        bank.deliver(root, "branches", day, [{"branch_code": "B1"}, {"branch_code": f"B{day.day}"}])
    bank.deliver(root, "balances", DAY, [], outcome="rejected")
    bank.deliver(root, "cards", DAY, [])
    return any_settings


def attach(settings, day, xref=None):
    warehouse.attach(settings, lake.pin(settings.lake, day), xref)


def rows(settings, statement, parameters=()):
    return warehouse.query(settings, statement, parameters).to_pylist()


def test_every_contract_is_there_typed_even_if_nothing_came(any_settings):
    attach(any_settings, DAY)
    expected = {"decimal(18,2)": "decimal128(18, 2)", "decimal(12,6)": "decimal128(12, 6)", "varchar": "string"}
    expected |= {"date": "date32[day]", "timestamp": "timestamp[us]", "boolean": "bool", "integer": "int32"}
    expected |= {"bigint": "int64"}
    for feed in load_feeds().values():
        table = warehouse.query(any_settings, f"select * from raw.{feed.name}")
        columns = (*feed.lake_columns, ("_delivery", "varchar"), ("_superseded_date", "date"))
        assert [(field.name, str(field.type)) for field in table.schema] == [(n, expected[t]) for n, t in columns]
        assert table.num_rows == 0
    for name in ("quarantine.rejects", "raw.scores", "raw.customer_xref", "raw.delivery_outcomes", "raw.run_steps"):
        assert rows(any_settings, f"select count(*) as n from {name}") == [{"n": 0}]


def test_all_versions_are_there_and_say_when_they_were_superseded(delivered):
    attach(delivered, NEXT)
    result = rows(
        delivered,
        "select _delivery, _superseded_date, count(*) as n, sum(amount) as amount from raw.transactions "
        "group by 1, 2 order by 1",
    )
    first, second = list(lake.pin(delivered.lake, NEXT).of("transactions"))
    assert [(row["_delivery"], row["_superseded_date"], row["n"], str(row["amount"])) for row in result] == [
        (first.outcome.delivery_id, NEXT, 3, "30.00"),
        (second.outcome.delivery_id, None, 1, "12.34"),
    ]
    current = rows(delivered, "select branch_code from raw.branches where _superseded_date is null order by 1")
    assert [row["branch_code"] for row in current] == ["B1", "B3"]


def test_attach_follows_the_pin_forward_and_back(delivered):
    for day, expected in ((DAY, 3), (NEXT, 4), (DAY, 3), (NEXT, 4)):
        attach(delivered, day)
        assert rows(delivered, "select count(*) as n from raw.transactions") == [{"n": expected}]
        current = rows(delivered, "select count(*) as n from raw.transactions where _superseded_date is null")
        assert current == [{"n": 3 if day == DAY else 1}]


def test_text_survives_as_it_came(delivered):
    attach(delivered, DAY)
    result = rows(delivered, "select remark, txn_at from raw.transactions where txn_id = $1", ["T000001"])
    posting = bank.posting(1, DAY)
    assert result == [{"remark": posting["remark"], "txn_at": posting["txn_at"]}]


def test_rejects_and_outcomes_of_every_delivery_are_attached(delivered):
    attach(delivered, NEXT)
    assert rows(delivered, 'select reason, "row", column_name from quarantine.rejects') == [
        {"reason": "invalid_type", "row": 7, "column_name": "amount"}
    ]
    outcomes = rows(delivered, "select feed, outcome, rows_loaded, superseded_date from raw.delivery_outcomes")
    assert len(outcomes) == 6
    assert [row for row in outcomes if row["feed"] == "balances"] == [
        {"feed": "balances", "outcome": "rejected", "rows_loaded": 0, "superseded_date": None}
    ]


def test_steps_of_runs_are_attached_in_utc(any_settings):
    step = {
        "run_id": "r1",
        "business_date": "2026-03-02",
        "step": "build",
        "status": "failed",
        "started_at": "2026-03-03T09:00:00+08:00",
        "ended_at": "2026-03-03 01:00:05.5",
        "error": "no space",
        "detail": {"rows": 3},
    }
    lake.write_json(any_settings.lake / "runs" / "r1" / "build.json", step)
    attach(any_settings, DAY)
    (result,) = rows(any_settings, "select * from raw.run_steps")
    assert str(result["started_at"]) == "2026-03-03 01:00:00"
    assert str(result["ended_at"]) == "2026-03-03 01:00:05.500000"
    assert (result["business_date"], result["detail"]) == (DAY, '{"rows": 3}')


def test_scores_are_those_of_what_is_known_now(delivered):
    """Of a date's scores only the file that carries the present pin counts, and of those the newest model's."""
    root = delivered.lake
    pin, stale = lake.pin(root, DAY).hash, "0" * 12

    def score(name, as_of, probability):
        row = {"customer_key": "cif:1", "as_of_date": as_of, "horizon_days": 90, "probability": probability, "rank": 1}
        path = root / "scores" / "churn" / f"as_of_date={as_of}" / f"{name}.parquet"
        bank.write(path, bank.table(SCORES.arrow_schema, [row]))

    score(f"2026-01-31-{stale}-{stale}", DAY, 0.1)
    score(f"2026-01-31-{stale}-{pin}", DAY, 0.2)
    score(f"2026-02-28-{stale}-{pin}", DAY, 0.3)
    score(f"2026-02-28-{lake.pin(root, date(2026, 2, 28)).hash}-{pin}", DAY, 0.4)
    score(f"2026-02-28-{stale}-{lake.pin(root, NEXT).hash}", NEXT, 0.5)
    attach(delivered, DAY)
    assert rows(delivered, "select task, probability from raw.scores") == [{"task": "churn", "probability": 0.4}]
    attach(delivered, NEXT)
    result = rows(delivered, "select as_of_date, probability from raw.scores order by 1")
    assert [row["probability"] for row in result] == [0.4, 0.5]


def test_scores_of_before_there_were_comparisons_still_attach(delivered):
    """A file without the later columns reads as null, alone and beside a newer one."""
    root = delivered.lake
    later = [column.name for column in SCORES.columns if column.is_later]
    older = pa.schema([field for field in SCORES.arrow_schema if field.name not in later])
    for day, schema in ((DAY, older), (NEXT, SCORES.arrow_schema)):
        pin = lake.pin(root, day).hash
        row = {"customer_key": "cif:1", "as_of_date": day, "horizon_days": 90, "probability": 0.5, "rank": 1}
        row |= {name: 3.0 for name in later if name in schema.names}
        path = root / "scores" / "churn" / f"as_of_date={day}" / f"2026-01-31-{'0' * 12}-{pin}.parquet"
        bank.write(path, bank.table(schema, [row]))
        attach(delivered, day)
        result = rows(delivered, f"select {', '.join(later)} from raw.scores order by as_of_date")
        assert list(result[0].values()) == [None] * len(later)
    assert list(result[1].values()) == [3.0] * len(later)


def test_loans_of_before_the_bank_told_its_balance_still_attach(delivered):
    """A column that files may lack is null in what was loaded before the contract had it."""
    loan = {"loan_no": "L1", "business_date": DAY, "status": "running", "outstanding_amount": Decimal("5.00")}
    for day in (DAY, NEXT):
        bank.deliver(delivered.lake, "loans", day, [loan])
    (path,) = (delivered.lake / "raw" / "loans" / f"period={DAY}").glob("*.parquet")
    pq.write_table(pq.read_table(path).drop_columns("outstanding_amount"), path)
    attach(delivered, NEXT)
    result = rows(delivered, "select outstanding_amount from raw.loans order by _known_date")
    assert [row["outstanding_amount"] for row in result] == [None, Decimal("5.00")]


def test_identity_is_that_of_the_given_file(delivered):
    link = {"party_key": "cif:1", "customer_key": "cif:1", "rule": "self", "match_weight": 0.0, "valid_from": DAY}
    for name, keys in (("a", ["cif:1"]), ("b", ["cif:1", "online:2"])):
        path = delivered.lake / "identity" / f"{name}.parquet"
        bank.write(path, bank.table(CUSTOMER_XREF.arrow_schema, [link | {"party_key": key} for key in keys]))
        attach(delivered, DAY, path)
        result = rows(delivered, "select party_key from raw.customer_xref order by 1")
        assert [row["party_key"] for row in result] == keys


def test_dbt_sources_describe_what_is_attached(settings):
    sources = yaml.safe_load((PROJECT / "dbt_project/models/staging/_raw__sources.yml").read_text())["sources"]
    described = {
        f"{source['schema']}.{table['name']}": [(column["name"], column["data_type"]) for column in table["columns"]]
        for source in sources
        for table in source["tables"]
    }
    pin = lake.pin(settings.lake, DAY)
    tables = [*lake_tables(settings.lake, pin, None), *small_tables(settings.lake, pin)]
    attached = {table.relation.full_name: table.relation.typed_columns for table in tables}
    assert {name: sorted(columns) for name, columns in described.items()} == {
        name: sorted(columns) for name, columns in attached.items()
    }
