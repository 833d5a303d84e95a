"""What the machine lacks ends a step in words that say what to do; faults of the code stay faults."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date
from pathlib import Path

import duckdb
import pytest

from c360.steps import step
from lakehouse.errors import ConnectionLost, Shortage, stop_of
from lakehouse.lake.runs import read_records
from lakehouse.settings import Settings
from lakehouse.warehouse import DbtFailed
from lakehouse.warehouse.engines import postgres

DAY = date(2026, 3, 2)
FULL = Path("/dev/full")  # a file whose disk is always full; never give it to what renames over it or removes it
BY_DUCKDB = (
    "IO Error: Async write failed for range [offset=0, size=27]: "
    '{"exception_type":"IO",'
    '"exception_message":"Could not write file \\"lake/raw/a.parquet\\": No space left on device"}'
)


def stepped(settings: Settings, work: Callable[[], object]) -> None:
    with step(settings, "a run", "build", DAY):
        work()


def test_a_full_disk_is_told_with_what_to_do(settings: Settings) -> None:
    with pytest.raises(Shortage, match=r"no space is left on the disk of .*: free some"):
        stepped(settings, lambda: FULL.write_text("more than nothing"))
    (record,) = read_records(settings.lake, "a run")
    assert record["status"] == "failed" and "c360 doctor" in record["remedy"]


def test_the_file_is_named_as_duckdb_tells_it() -> None:
    told = (BY_DUCKDB, 'IO Error: Could not write file "lake/raw/a.parquet": No space left on device')
    for text in told:
        for failure in (duckdb.IOException(text), DbtFailed(f"int_a: error: Runtime Error in model int_a\n  {text}")):
            assert "disk of lake/raw/a.parquet:" in str(stop_of(failure))


def test_too_little_memory_is_told_with_the_setting(settings: Settings) -> None:
    with duckdb.connect(config={"memory_limit": "1MB", "temp_directory": ""}) as connection:
        many = "select count(distinct range * 7919 % 1000003) from range(3_000_000)"
        with pytest.raises(Shortage, match="C360_MEMORY_LIMIT"):
            stepped(settings, lambda: connection.execute(many))


def test_a_connection_that_breaks_under_dbt_is_told_with_what_to_do() -> None:
    told = "int_a: error: Database Error in model int_a\n  server closed the connection unexpectedly"
    assert isinstance(stop_of(DbtFailed(told)), ConnectionLost)
    assert stop_of(DbtFailed("int_a: error: Database Error\n  division by zero")) is None


@pytest.mark.parametrize("connect", [postgres.connect, postgres.connect_arrow])
def test_a_connection_that_the_server_ends_is_told_with_what_to_do(
    postgres_settings: Settings, connect: Callable[[Settings], AbstractContextManager]
) -> None:
    def work() -> None:
        with connect(postgres_settings) as connection, connection.cursor() as cursor:
            with postgres.connect(postgres_settings) as other:
                other.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity "
                    "where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()"
                )
            cursor.execute("select 1")

    with pytest.raises(ConnectionLost, match="connection to Postgres broke: run it again"):
        stepped(postgres_settings, work)


def test_a_fault_of_the_code_is_raised_as_it_is(settings: Settings) -> None:
    with pytest.raises(ZeroDivisionError):
        stepped(settings, lambda: 1 // 0)
