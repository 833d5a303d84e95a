"""The same deliveries give the same tables on Postgres as on DuckDB, with days on top and after a full load."""

import math
from pathlib import Path

import psycopg
import pytest

from c360 import pipeline, warehouse
from c360.settings import Settings
from tests.conftest import create_database
from tests.pipeline.bank import READER_SCHEMAS, RUN_COLUMNS, deployment_at
from tests.pipeline.conftest import D3, LAST_OF_HISTORY, Undisturbed


@pytest.fixture(scope="module")
def postgres(landing: Path, postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The history on Postgres, then the three days on top of it."""
    with create_database(postgres_server) as dsn:
        settings = deployment_at(tmp_path_factory.mktemp("postgres"), landing, target="postgres", postgres_dsn=dsn)
        for day in (LAST_OF_HISTORY, D3):
            pipeline.run(settings, day, day)
        yield settings


def test_days_on_top_are_equal(postgres: Settings, day_by_day: Undisturbed) -> None:
    assert_equal(day_by_day.settings, postgres)


def test_a_full_load_is_equal(postgres: Settings, day_by_day: Undisturbed) -> None:
    warehouse.drop_build(postgres)
    pipeline.run(postgres, D3, D3)
    assert_equal(day_by_day.settings, postgres)


def test_readers_have_no_way_to_personal_data(postgres: Settings) -> None:
    with psycopg.connect(postgres.postgres_dsn) as connection:
        connection.execute("set role c360_reader")
        assert connection.execute("select count(*) from marts.customer_360").fetchone()[0] > 0
        for schema in ("pii", "raw", "quarantine", "staging", "build_marts"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                table = connection.execute(
                    "select relname from pg_class join pg_namespace on relnamespace = pg_namespace.oid "
                    "where nspname = %s and relkind in ('r', 'v') order by relname limit 1",
                    [schema],
                ).fetchone()[0]
                connection.execute(f'select * from "{schema}"."{table}"')


def assert_equal(one: Settings, other: Settings) -> None:
    tables = published(one)
    assert published(other) == tables
    for table in tables:
        left, right = rows(one, table), rows(other, table)
        assert len(left) == len(right) > 0, table
        for here, there in zip(left, right, strict=True):
            assert all(map(same, here, there)), (table, here, there)


def published(settings: Settings) -> list[str]:
    found = warehouse.query_serving(settings, "select schema_name, table_name from ops.publications").to_pylist()
    return sorted(f"{row['schema_name']}.{row['table_name']}" for row in found if row["schema_name"] in READER_SCHEMAS)


def rows(settings: Settings, table: str) -> list[tuple]:
    found = warehouse.query_serving(settings, f"select * from {table}")
    kept = found.select(sorted(set(found.column_names) - set(RUN_COLUMNS)))
    return sorted(zip(*(column.to_pylist() for column in kept.columns), strict=True), key=_sortable)


def same(here: object, there: object) -> bool:
    """Exact, but for floating-point figures: 1e-9."""
    if isinstance(here, float) and isinstance(there, float):
        return math.isclose(here, there, rel_tol=1e-9, abs_tol=1e-9)
    return here == there


def _sortable(row: tuple) -> tuple:
    return tuple("" if value is None or isinstance(value, float) else str(value) for value in row)
