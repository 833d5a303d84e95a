"""The build engine outlives kills, names who holds it, and forgets only when asked to."""

import contextlib
import dataclasses
import os
import random
import signal
import subprocess
import sys
import threading
import time
from datetime import date
from functools import partial
from pathlib import Path

import duckdb
import psycopg
import pytest

from lakehouse import lake, warehouse
from lakehouse.errors import Stop, stop_of
from lakehouse.settings import PROJECT
from lakehouse.warehouse.engines import postgres
from lakehouse.warehouse.engines.postgres_lock import BUILD_LOCK, INTERRUPT
from lakehouse.warehouse.stores import postgres as postgres_store
from tests.lakehouse.warehouse import handmade_lake as bank

DAY = date(2026, 3, 2)
XREF = Path("identity/a.parquet")
VERSION = "a project"


@pytest.fixture
def built(any_settings):
    bank.deliver(any_settings.lake, "transactions", DAY, [bank.posting(1, DAY)])
    pin = lake.pin(any_settings.lake, DAY)
    warehouse.attach(any_settings, pin, None)
    warehouse.write_state(any_settings, warehouse.BuildState.of(pin, XREF, VERSION))
    return any_settings


def test_state_is_what_was_written_last(built):
    state = warehouse.read_state(built)
    assert state == warehouse.BuildState.of(lake.pin(built.lake, DAY), XREF, VERSION)
    bank.deliver(built.lake, "transactions", DAY, [bank.posting(2, DAY)], version=2)
    warehouse.write_state(built, warehouse.BuildState.of(lake.pin(built.lake, DAY), XREF, VERSION))
    assert len(warehouse.read_state(built).deliveries) == 2


def test_an_empty_engine_has_no_state(any_settings):
    assert warehouse.read_state(any_settings) is None


def test_a_dropped_build_is_empty_and_can_be_built_again(built):
    warehouse.drop_build(built)
    assert warehouse.read_state(built) is None
    warehouse.attach(built, lake.pin(built.lake, DAY), None)
    assert warehouse.query(built, "select count(*) as n from raw.transactions").to_pylist() == [{"n": 1}]


def test_queries_bind_their_parameters_and_keep_money_exact(built):
    money = "select cast($1 as varchar) as word, cast(123456789012.10 as decimal(38,2)) as amount, 2 * txn.n as n from"
    money += " (select cast(count(*) as bigint) as n from raw.transactions) as txn"
    table = warehouse.query(built, money, ["o'clock; drop"])
    assert [str(type_) for type_ in table.schema.types] == ["string", "decimal128(38, 2)", "int64"]
    assert [str(value) for value in table.to_pylist()[0].values()] == ["o'clock; drop", "123456789012.10", "2"]


@pytest.mark.faults("at_once")
def test_two_runs_at_once_take_turns(built):
    with (
        warehouse.exclusive(built),
        pytest.raises(warehouse.EngineLocked, match="run again"),
        warehouse.exclusive(built, wait=0.3),
    ):
        pass
    with warehouse.exclusive(built, wait=0):
        pass


def end_lock(settings):
    """End the connection that holds the build, as a network does that drops it."""
    with psycopg.connect(settings.postgres_dsn.get_secret_value(), autocommit=True) as connection:
        ended = connection.execute(
            "select pg_terminate_backend(pid) from pg_locks join pg_stat_activity using (pid) "
            "where locktype = 'advisory' and objid = %s and granted and datname = current_database()",
            [BUILD_LOCK],
        ).fetchall()
    assert ended == [(True,)]


@pytest.mark.faults("connections")
@pytest.mark.parametrize(
    "interrupt",
    [signal.default_int_handler, signal.SIG_IGN, signal.SIG_DFL],
    ids=["from a terminal", "a background job of a shell", "a task of Airflow"],
)
def test_postgres_interrupts_a_run_that_lost_its_lock(postgres_settings, interrupt, request):
    request.addfinalizer(partial(signal.signal, signal.SIGINT, signal.signal(signal.SIGINT, interrupt)))
    before = signal.getsignal(INTERRUPT)

    def lose():
        end_lock(postgres_settings)
        time.sleep(30)

    began = time.monotonic()
    with pytest.raises(warehouse.EngineLocked, match="was lost"), warehouse.exclusive(postgres_settings):
        lose()
    assert time.monotonic() - began < 15
    assert signal.getsignal(INTERRUPT) == before
    with warehouse.exclusive(postgres_settings, wait=0):
        pass


@pytest.mark.faults("connections")
def test_postgres_interrupts_dbt_and_the_next_run_builds_and_publishes(postgres_settings, run_day):
    bank.deliver(postgres_settings.lake, "transactions", DAY, [bank.posting(1, DAY)])

    def build_for_ever():
        while True:
            run_day(postgres_settings, DAY, DAY)

    loser = threading.Timer(2, end_lock, [postgres_settings])
    loser.start()
    with pytest.raises(warehouse.EngineLocked, match="was lost"), warehouse.exclusive(postgres_settings):
        build_for_ever()
    loser.join()
    with warehouse.exclusive(postgres_settings, wait=5):
        run_day(postgres_settings, DAY, DAY)
    assert warehouse.published_date(postgres_settings) == DAY


@pytest.mark.faults("zombie")
def test_postgres_lets_nobody_who_lost_the_lock_write_state_or_publish(postgres_settings):
    refused, is_lost, has_retried = [], threading.Event(), threading.Event()
    state = warehouse.BuildState.of(lake.pin(postgres_settings.lake, DAY), XREF, VERSION)

    def zombie():  # not the main thread, so nothing interrupts it
        with contextlib.suppress(warehouse.EngineLocked), warehouse.exclusive(postgres_settings):
            end_lock(postgres_settings)
            is_lost.set()
            assert has_retried.wait(60)
            for write in (
                lambda: warehouse.write_state(postgres_settings, state),
                lambda: postgres_store.publishing(postgres_settings).__enter__(),
            ):
                try:
                    write()
                except warehouse.EngineLocked as error:
                    refused.append(str(error))

    thread = threading.Thread(target=zombie)
    thread.start()
    assert is_lost.wait(60)
    with warehouse.exclusive(postgres_settings, wait=30):
        warehouse.write_state(postgres_settings, dataclasses.replace(state, project="of the retry"))
        has_retried.set()
        thread.join()
    assert len(refused) == 2 and all("may have taken over" in text for text in refused)
    assert warehouse.read_state(postgres_settings).project == "of the retry"


@pytest.mark.faults("zombie")
def test_postgres_ends_what_an_earlier_run_left_at_work_and_nobody_else(postgres_settings):
    dsn = postgres_settings.postgres_dsn.get_secret_value()
    warehouse.write_state(postgres_settings, warehouse.BuildState.of(lake.pin(postgres_settings.lake, DAY), XREF, "a"))
    with psycopg.connect(dsn) as left, psycopg.connect(dsn) as reader:
        left.execute("update raw._state set is_building = true")
        reader.execute("select * from raw._state").fetchall()
        with warehouse.exclusive(postgres_settings, wait=0), pytest.raises(psycopg.OperationalError):
            left.execute("select 1")
        assert reader.execute("select count(*) from raw._state where is_building").fetchone() == (0,)


def test_postgres_joins_tables_for_dbt_as_wholes(postgres_settings, monkeypatch):
    """Row by row, as its guess of one row would have it, a label of a thousand customers took it five minutes."""
    dsn, asked = postgres_settings.postgres_dsn.get_secret_value(), "show enable_nestloop"
    with postgres.connect(postgres_settings) as ours:
        assert ours.execute(asked).fetchone() == ("on",)
    for name, value in postgres.environment(postgres_settings).items():
        monkeypatch.setenv(name, value)
    with psycopg.connect(dsn) as as_dbt:  # libpq reads the environment for both
        assert as_dbt.execute(asked).fetchone() == ("off",)


def test_duckdb_says_who_holds_the_file(settings):
    code = (
        f"import duckdb, time; c = duckdb.connect({str(settings.build)!r}); print('held', flush=True); time.sleep(30)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "held\n"
    try:
        with pytest.raises(warehouse.EngineLocked, match=f"process {holder.pid} .*time.sleep"):
            warehouse.read_state(settings, wait=0.3)
    finally:
        holder.kill()
        holder.wait()
    assert warehouse.read_state(settings) is None


@pytest.mark.parametrize("broken", ["file", "log"])
def test_duckdb_file_that_cannot_be_opened_is_moved_aside(settings, caplog, broken):
    warehouse.attach(settings, lake.pin(settings.lake, DAY), None)
    warehouse.write_state(settings, warehouse.BuildState.of(lake.pin(settings.lake, DAY), XREF, VERSION))
    data = bytearray(settings.build.read_bytes())
    data[4096:12288] = b"\xff" * 8192
    settings.build.write_bytes(data)
    if broken == "log":
        settings.build.with_name("build.duckdb.wal").write_bytes(b"\x00" * 100)
    assert warehouse.read_state(settings) is None
    assert "a full rebuild follows" in caplog.text
    assert settings.build.with_name("build.duckdb.broken").exists()
    warehouse.attach(settings, lake.pin(settings.lake, DAY), None)


@pytest.mark.parametrize("limit", ["6", "200%", "99999999999TB"])
def test_a_refused_memory_limit_leaves_the_engine_alone(settings, limit):
    warehouse.attach(settings, lake.pin(settings.lake, DAY), None)
    content = settings.build.read_bytes()
    with pytest.raises(Stop, match="C360_MEMORY_LIMIT"):
        warehouse.read_state(settings.model_copy(update={"memory_limit": limit}))
    assert settings.build.read_bytes() == content


def test_too_little_memory_to_open_it_leaves_the_engine_alone(settings):
    warehouse.attach(settings, lake.pin(settings.lake, DAY), None)
    content = settings.build.read_bytes()
    with pytest.raises(duckdb.OutOfMemoryException) as failed:
        warehouse.read_state(settings.model_copy(update={"memory_limit": "100KB"}))
    assert "C360_MEMORY_LIMIT" in str(stop_of(failed.value))
    assert settings.build.read_bytes() == content


@pytest.mark.parametrize("content", [b"a text", b"SQLite format 3\0" + bytes(84), bytes(4096)])
def test_a_file_that_is_no_database_is_left_alone(settings, content):
    settings.build.parent.mkdir(exist_ok=True)
    settings.build.write_bytes(content)
    with pytest.raises(Stop, match="C360_BUILD"):
        warehouse.attach(settings, lake.pin(settings.lake, DAY), None)
    assert settings.build.read_bytes() == content


WRITER = """
import sys
from datetime import date
from pathlib import Path
from lakehouse import lake, warehouse
from lakehouse.errors import Stop
from lakehouse.settings import Settings
settings = Settings.from_env()
pin = lake.pin(settings.lake, date(2026, 3, 2))
print("ready", flush=True)
while True:
    warehouse.attach(settings, pin, None)
    warehouse.write_state(settings, warehouse.BuildState.of(pin, Path("identity/a.parquet"), "a project"))
    print("once", flush=True)
"""


@pytest.mark.parametrize("kills", [3, pytest.param(30, marks=pytest.mark.full)])
@pytest.mark.faults("kill_moments", holds=("content",))
def test_a_writer_killed_at_any_moment_leaves_an_engine_that_opens(built, kills, fault):
    fault.injections = kills
    environment = os.environ | built.environment()
    moments = random.Random(7)
    expected = warehouse.read_state(built)
    for _ in range(kills):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER], env=environment, cwd=PROJECT, stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout.readline() == "ready\n"
        time.sleep(moments.uniform(0, 0.6))
        writer.kill()
        writer.wait()
        assert warehouse.read_state(built, wait=5) == expected
        count = warehouse.query(built, "select count(*) as n from raw.transactions").to_pylist()
        assert count == [{"n": 1}]
    assert not built.build.with_name("build.duckdb.broken").exists()


def test_what_spark_builds_is_not_published_and_says_so(settings, monkeypatch):
    target = settings.model_copy(update={"target": "spark"})
    with pytest.raises(Stop, match="what spark builds is not published yet"):
        warehouse.published_date(target)
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)
    with pytest.raises(Stop, match=r"needs PySpark.*spark\.lock"):
        warehouse.attach(target, lake.pin(settings.lake, DAY), None)


def test_after_a_build_that_was_cut_short_spark_builds_all_of_history(settings):
    state = warehouse.BuildState.of(lake.pin(settings.lake, DAY), XREF, VERSION)
    spark = settings.model_copy(update={"target": "spark"})
    warehouse.write_state(spark, state)
    assert warehouse.read_state(spark) == state
    warehouse.begin_build(spark)
    assert warehouse.read_state(settings) == state  # DuckDB's tables change within transactions
    assert warehouse.read_state(spark) is None
    warehouse.write_state(spark, state)
    assert warehouse.read_state(spark) == state
