"""Spark builds the same tables from the same deliveries as DuckDB: by a full load, and by two runs on top.

The second run has a late row, the third sends a day again. The bank is smaller than that of the other tests: most of
what Spark takes it takes per statement, however few the rows are.
"""

from datetime import date

import pyarrow as pa
import pytest

import simulator
from c360 import pipeline
from c360.intake import ingest
from lakehouse import warehouse
from lakehouse.contracts import load_deployment
from lakehouse.lake.runs import new_run_id
from lakehouse.settings import Settings
from tests.pipeline.bank import define_tags, deliver_adjustments, deliver_wishes, deployment_at
from tests.pipeline.conftest import D1, D2, D3, LAST_OF_HISTORY, change_days
from tests.pipeline.test_parity import same

pytestmark = [pytest.mark.spark, pytest.mark.timeout(7200)]
CUSTOMERS, MONTHS, START = 120, 11, date(2024, 4, 1)
SCHEMAS = ("build_seeds", "build_intermediate", "build_marts", "build_features", "build_actions")


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Settings]:
    """The bank of the end of its history on DuckDB and on Spark, each with a lake of its own."""
    folder = tmp_path_factory.mktemp("spark")
    landing = folder / "landing"
    simulator.generate(CUSTOMERS, MONTHS, 11, folder, days=3, start=START)
    change_days(landing)
    made = tuple(deployment_at(folder / target, landing, target=target) for target in ("duckdb", "spark"))
    define_tags(made[0], D1, D3)
    deliver_wishes(landing, D1, D3)
    deliver_adjustments(landing, D1)
    for settings in made:
        build(settings, LAST_OF_HISTORY)
    return made


def test_a_full_load_is_equal(engines: tuple[Settings, Settings]) -> None:
    assert_equal(*engines)


def test_days_on_top_are_equal(engines: tuple[Settings, Settings]) -> None:
    for settings in engines:
        build(settings, D2)
        build(settings, D3)
    assert_equal(*engines)


def build(settings: Settings, day: date) -> None:
    """Take in what has landed by the day, and build all that needs no scores, data tests included."""
    run_id = new_run_id(day)
    for feed in load_deployment(settings.deployment).feeds:
        ingest(settings, feed, day, run_id)
    pipeline.build(settings, day, run_id)


def assert_equal(duckdb: Settings, spark: Settings) -> None:
    """Every table has the same columns and rows; how many is printed, and all that differs is named."""
    tables = built(duckdb)
    assert built(spark) == tables
    differing, empty = {}, []
    for table, columns in tables.items():
        left = rows(duckdb, table, columns)
        right = rows(spark, table, columns, left.schema)
        print(f"{table:70} {left.num_rows:>9,} rows")
        empty += [table] if left.num_rows == 0 else []
        if left.num_rows != right.num_rows:
            differing[table] = f"{right.num_rows} rows in place of {left.num_rows}"
        elif unequal := [name for name in columns if not same(left[name], right[name])]:
            differing[table] = unequal
    assert differing == {}
    assert len(empty) < len(tables) / 5, empty


def built(settings: Settings) -> dict[str, list[str]]:
    """The columns of every table or view of the build engine, by its name."""
    found = warehouse.query(
        settings,
        "select table_schema || '.' || table_name as table_name, column_name from information_schema.columns "
        f"where table_schema in {SCHEMAS} order by all",
    ).to_pylist()
    columns: dict[str, list[str]] = {}
    for row in found:
        columns.setdefault(row["table_name"], []).append(row["column_name"])
    return columns


def rows(settings: Settings, table: str, columns: list[str], schema: pa.Schema | None = None) -> pa.Table:
    """All rows in one order, as ``schema`` if given: by what is exact first, since floats differ in the last digit."""
    found = warehouse.query(settings, f"select * from {table}").select(columns)
    typed = found.cast(schema) if schema else found
    ordered = sorted(typed.schema, key=lambda field: pa.types.is_floating(field.type))
    return typed.sort_by([(field.name, "ascending") for field in ordered])
