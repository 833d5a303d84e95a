"""Readers see what was built: changed partitions only, all at one moment, nothing private."""

import os
import random
import re
import subprocess
import sys
import time
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.sql import SQL, Identifier

from lakehouse import lake, warehouse
from lakehouse.errors import Stop
from lakehouse.settings import PROJECT, Settings
from lakehouse.warehouse.live import FLOW, LIVE
from lakehouse.warehouse.publication import CannotPublish
from lakehouse.warehouse.stores import postgres as postgres_store
from tests.lakehouse.warehouse import handmade_lake as bank
from tests.lakehouse.warehouse.built import Built

DAY = date(2026, 3, 1)
FACTS = """
    select cast(number as varchar) as txn_id, cast(date '2026-01-30' + number as date) as business_date,
        cast(number * 1.25 as decimal(18,2)) as amount, cast('run 1' as varchar) as run_id
    from (values (0), (1), (2), (3), (4), (30), (31)) as numbers (number)
"""  # three months


@pytest.fixture
def built(any_settings: Settings) -> Built:
    return Built(any_settings)


def publications(settings: Settings) -> dict[str, dict]:
    rows = warehouse.query_serving(settings, "select * from ops.publications").to_pylist()
    return {f"{row['schema_name']}.{row['table_name']}": row for row in rows}


def stored(settings: Settings, table: str) -> set[tuple]:
    """(month, mark): a partition that is written anew gets another mark, by its file or its rows' transaction."""
    if settings.target == "duckdb":
        files = settings.published.joinpath(*table.split(".")).iterdir()
        return {(path.name[:7], path.name, path.stat().st_mtime_ns) for path in files}
    with psycopg.connect(settings.postgres_dsn.get_secret_value()) as connection:
        rows = connection.execute(
            f"select to_char(business_date, 'YYYY-MM'), max(cast(cast(xmin as text) as bigint)) from {table} group by 1"
        )
        return set(rows.fetchall())


def administrator(settings: Settings, server: str) -> str:
    """DSN of the database with every right."""
    return make_conninfo(server, dbname=conninfo_to_dict(settings.postgres_dsn.get_secret_value())["dbname"])


def test_what_dbt_builds_is_published_with_one_publish_id(any_settings, run_day):
    first = date(2026, 1, 30)
    for offset in range(4):
        day = first + timedelta(days=offset)
        bank.deliver(any_settings.lake, "transactions", day, [bank.posting(offset * 10 + n, day) for n in range(10)])
    publish_id = run_day(any_settings, first + timedelta(days=3), first)
    published = publications(any_settings)
    assert sorted(published) == [
        "marts.account_days",
        "marts.dim_account",
        "marts.fct_transactions",
        "ops.deliveries",
        "ops.runs",
    ]
    assert {row["publish_id"] for row in published.values()} == {publish_id}
    assert published["marts.fct_transactions"]["row_count"] == 40
    days = warehouse.query_serving(any_settings, "select cast(sum(txn_count) as bigint) as n from marts.account_days")
    assert days.to_pylist() == [{"n": 40}]
    assert warehouse.published_date(any_settings) == first + timedelta(days=3)


def test_only_what_changed_is_written(built):
    settings = built.settings
    built.model("marts.facts", FACTS, partition_by="business_date")
    warehouse.publish(settings, DAY, "run 1")
    before, published = stored(settings, "marts.facts"), publications(settings)["marts.facts"]

    built.execute("update build_marts.facts set run_id = 'run 2'")
    warehouse.publish(settings, DAY, "run 2")
    assert stored(settings, "marts.facts") == before
    again = publications(settings)["marts.facts"]
    assert again["content_hash"] == published["content_hash"] == warehouse.content_hash(settings, "marts.facts")
    assert (again["publish_id"], again["run_id"]) == (published["publish_id"] + 1, "run 2")

    built.execute("update build_marts.facts set amount = amount + 0.01 where txn_id = '3'")
    warehouse.publish(settings, DAY, "run 3")
    after = stored(settings, "marts.facts")
    assert {month for month, *_ in after - before} == {"2026-02"}
    changed = publications(settings)["marts.facts"]
    assert changed["content_hash"] != published["content_hash"]
    assert changed["content_hash"] == warehouse.content_hash(settings, "marts.facts")
    amounts = warehouse.query_serving(settings, "select amount from marts.facts where txn_id = '3'").to_pylist()
    assert [str(row["amount"]) for row in amounts] == ["3.76"]


def test_rows_that_go_are_gone_whatever_their_partition(built):
    settings = built.settings
    built.model("marts.facts", FACTS, partition_by="business_date")
    built.execute("insert into build_marts.facts values ('undated', null, 1, 'run 1')")
    warehouse.publish(settings, DAY, "run 1")
    count = "select count(*) as n from marts.facts"
    assert warehouse.query_serving(settings, count).to_pylist() == [{"n": 8}]
    built.execute("delete from build_marts.facts where business_date >= date '2026-03-01' or business_date is null")
    warehouse.publish(settings, DAY, "run 2")
    assert warehouse.query_serving(settings, count).to_pylist() == [{"n": 5}]
    built.execute("delete from build_marts.facts")
    warehouse.publish(settings, DAY, "run 3")
    assert warehouse.query_serving(settings, count).to_pylist() == [{"n": 0}]


def test_the_hash_knows_columns_and_not_the_order_of_rows(built):
    settings = built.settings
    hashes = []
    for sql in (
        "select 1 as a, 2 as b union all select 3, 4",
        "select 3 as a, 4 as b union all select 1, 2",
        "select 1 as a, 2 as c union all select 3, 4",
        "select 2 as a, 1 as b union all select 4, 3",
        "select 1 as a, 2 as b union all select 3, 4 union all select null, null",
        "select 1 as a, 4 as b union all select 3, 2",
    ):
        built.model("marts.pairs", sql)
        warehouse.publish(settings, DAY, "run")
        assert warehouse.content_hash(settings, "marts.pairs") == publications(settings)["marts.pairs"]["content_hash"]
        hashes.append(publications(settings)["marts.pairs"]["content_hash"])
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == len(hashes) - 1


def test_old_months_of_incremental_tables_are_read_only_when_a_build_touched_them(built):
    """dbt replaces dates from ``from_date`` on; a run that was killed before it published is not forgotten."""
    settings = built.settings
    built.model("marts.facts", FACTS, "incremental", "business_date")
    warehouse.publish(settings, DAY, "run 1")
    published = publications(settings)["marts.facts"]["content_hash"]

    built.execute("update build_marts.facts set amount = 100 where txn_id = '0'")  # behind dbt's back
    warehouse.publish(settings, DAY, "run 2")
    assert publications(settings)["marts.facts"]["content_hash"] == published

    for day in (date(2026, 1, 31), date(2026, 3, 1)):
        warehouse.engine_of(settings).mark_unpublished(settings, day)
    warehouse.publish(settings, DAY, "run 3", schemas=("ops",))
    warehouse.publish(settings, DAY, "run 4")
    published = publications(settings)["marts.facts"]["content_hash"]
    assert published == warehouse.content_hash(settings, "marts.facts")
    amounts = warehouse.query_serving(settings, "select amount from marts.facts where txn_id = '0'").to_pylist()
    assert [str(row["amount"]) for row in amounts] == ["100.00"]


def test_a_store_that_was_replaced_is_compared_whole(built):
    settings = built.settings
    built.model("marts.facts", FACTS, "incremental", "business_date")
    warehouse.publish(settings, DAY, "run 1")
    if settings.target == "duckdb":
        settings.warehouse.unlink()
    else:
        built.execute("drop schema marts, ops cascade")
    warehouse.publish(settings, DAY, "run 2")
    count = warehouse.query_serving(settings, "select count(*) as n from marts.facts").to_pylist()
    assert count == [{"n": 7}]


def test_after_a_failure_only_ops_is_replaced(built):
    settings = built.settings
    built.model("marts.facts", FACTS, partition_by="business_date")
    built.model("marts.months", "select count(*) as n from build_marts.facts", "view", reads=("marts.facts",))
    built.model("ops.deliveries", "select cast('d1' as varchar) as delivery_id")
    publish_id = warehouse.publish(settings, DAY, "run 1")
    built.execute("delete from build_marts.facts")
    built.model("ops.deliveries", "select cast('d2' as varchar) as delivery_id")
    assert warehouse.publish(settings, DAY + timedelta(days=1), "run 2", schemas=("ops",)) == publish_id + 1
    published = publications(settings)
    assert {row["publish_id"] for row in published.values()} == {publish_id + 1}
    assert {name: row["business_date"].day for name, row in published.items()} == {
        "marts.facts": 1,
        "marts.months": 1,
        "ops.deliveries": 2,
    }
    rows = warehouse.query_serving(settings, "select n, delivery_id from marts.months cross join ops.deliveries")
    assert rows.to_pylist() == [{"n": 7, "delivery_id": "d2"}]


def test_nothing_private_and_nothing_hidden_is_published(built):
    settings = built.settings
    built.model("marts.customers", "select cast('13800138000' as varchar) as phone")
    with pytest.raises(CannotPublish, match=r"marts\.customers has phone"):
        warehouse.publish(settings, DAY, "run 1")
    assert warehouse.published_date(settings) is None
    built.nodes.clear()
    built.model("staging.persons", "select 1 as a")
    built.model("marts.people", "select a from build_staging.persons", "view", reads=("staging.persons",))
    with pytest.raises(CannotPublish, match="people is a view over"):
        warehouse.publish(settings, DAY, "run 1")


def test_a_build_that_was_cut_short_is_not_shown(built):
    settings = built.settings
    built.model("marts.facts", FACTS)
    built.model("ops.runs", "select 1 as run")
    state = warehouse.BuildState.of(lake.pin(settings.lake, DAY), Path("identity/a.parquet"), "a project")
    warehouse.write_state(settings, state)
    warehouse.publish(settings, DAY, "run 1")
    warehouse.begin_build(settings)
    built.execute("delete from build_marts.facts")
    with pytest.raises(CannotPublish, match="cut short"):
        warehouse.publish(settings, DAY, "run 2")
    warehouse.publish(settings, DAY, "run 2", schemas=("ops",))
    count = "select count(*) as n from marts.facts"
    assert warehouse.query_serving(settings, count).to_pylist() == [{"n": 7}]
    warehouse.write_state(settings, state)
    warehouse.publish(settings, DAY, "run 3")
    assert warehouse.query_serving(settings, count).to_pylist() == [{"n": 0}]


def test_a_model_that_was_never_built_is_named(built):
    built.model("marts.facts", FACTS)
    built.execute("drop table build_marts.facts")
    with pytest.raises(CannotPublish, match=r"build_marts\.facts is not there"):
        warehouse.publish(built.settings, DAY, "run 1")


def test_a_model_that_is_no_more_goes_and_one_may_turn_into_a_view(built):
    settings = built.settings
    built.model("marts.facts", FACTS)
    built.model("marts.months", "select count(*) as n from build_marts.facts")
    built.model("marts.old", "select 1 as a")
    warehouse.publish(settings, DAY, "run 1")
    del built.nodes["model.small.old"]
    built.execute("drop table build_marts.months")
    built.model("marts.months", "select count(*) as n from build_marts.facts", "view", reads=("marts.facts",))
    warehouse.publish(settings, DAY, "run 2")
    assert sorted(publications(settings)) == ["marts.facts", "marts.months"]
    shown = "select table_name from information_schema.tables where table_schema = 'marts' order by 1"
    assert warehouse.query_serving(settings, shown)["table_name"].to_pylist() == ["facts", "months"]


def test_live_tables_come_with_the_daily_flow_and_stay_when_only_ops_is_replaced(built):
    settings = built.settings
    built.model("ops.runs", "select 1 as run")
    warehouse.publish(settings, DAY, "run 1")
    shown = "select table_schema || '.' || table_name as name from information_schema.tables order by 1"
    assert "marts.fund_flow" not in warehouse.query_serving(settings, shown)["name"].to_pylist()
    flow = ", ".join(f"cast(null as {type_}) as {name}" for name, type_ in FLOW)
    built.model("marts.fund_flow_daily", f"select {flow}")
    for schemas in (None, ("ops",)):
        warehouse.publish(settings, DAY, "run 2", schemas)
        names = warehouse.query_serving(settings, shown)["name"].to_pylist()
        assert {"marts.fund_flow", *(table.full_name for table in LIVE)} <= set(names)
        assert warehouse.query_serving(settings, "select * from marts.fund_flow").num_rows == 1


def test_duckdb_readers_of_earlier_publishes_keep_their_files(settings):
    built = Built(settings)
    built.model("marts.facts", FACTS, partition_by="business_date")
    warehouse.publish(settings, DAY, "run 0")
    with warehouse.open_store(settings.warehouse) as reader:
        for run in (1, 2):
            built.execute("update build_marts.facts set amount = amount + 1")
            warehouse.publish(settings, DAY, f"run {run}")
            assert str(reader.execute("select sum(amount) from marts.facts").fetchone()[0]) == "88.75"
    for run in range(3, 8):
        built.execute("update build_marts.facts set amount = amount + 1")
        warehouse.publish(settings, DAY, f"run {run}")
    assert len(list(settings.published.rglob("*.parquet"))) == 4 * 3  # the present one and three earlier
    names = {path.name for path in settings.warehouse.parent.iterdir()}
    assert not [name for name in names if name.startswith(".warehouse") or name.endswith(".wal")]


@pytest.mark.parametrize("whole", [0, 2])
def test_duckdb_readers_keep_their_files_through_any_number_of_failed_runs(settings, whole):
    """Whatever a reader has open: a mart, ``ops``, or a mart that was replaced before the failures began."""
    built = Built(settings)
    built.model("marts.facts", FACTS, partition_by="business_date")
    built.model("ops.runs", "select 0 as failures")
    warehouse.publish(settings, DAY, "run 0")
    with warehouse.open_store(settings.warehouse) as reader:
        for run in range(whole):
            built.execute("update build_marts.facts set amount = amount + 1")
            warehouse.publish(settings, DAY, f"run {run + 1}")
        for failures in range(1, 5):
            built.execute(f"update build_ops.runs set failures = {failures}")
            warehouse.publish(settings, DAY, f"failure {failures}", schemas=("ops",))
            assert str(reader.execute("select sum(amount) from marts.facts").fetchone()[0]) == "88.75"
            assert reader.execute("select failures from ops.runs").fetchone() == (0,)
    for run in range(4):
        built.execute("update build_marts.facts set amount = amount + 1")
        warehouse.publish(settings, DAY, f"run {run}")
    assert len(list(settings.published.rglob("*.parquet"))) == 4 * 3 + 1  # facts as above, and ops as it stands


def test_duckdb_what_a_killed_publish_left_is_removed(settings):
    built = Built(settings)
    built.model("marts.facts", FACTS)
    warehouse.publish(settings, DAY, "run 1")
    left = [settings.published / "marts/facts/all-0000.parquet", settings.published / "marts/facts/.x.tmp"]
    left.append(settings.warehouse.with_name(f".{settings.warehouse.name}.abc.tmp"))
    for path in left:
        path.write_text("half")
    warehouse.publish(settings, DAY, "run 2")
    assert not [path for path in left if path.exists()]


def test_postgres_grants_and_policies_outlive_a_change_of_columns(postgres_settings, postgres_server):
    built = Built(postgres_settings)
    built.model("marts.facts", FACTS, partition_by="business_date")
    built.model("marts.total", "select sum(amount) as amount from build_marts.facts", "view", reads=("marts.facts",))
    warehouse.publish(postgres_settings, DAY, "run 1")
    built.execute(
        "grant update on marts.facts to c360_reader",
        "alter table marts.facts enable row level security",
        "create policy january on marts.facts to c360_reader using (business_date < '2026-02-01')",
        "drop view build_marts.total",
    )
    built.model(
        "marts.facts",
        f"select txn_id, business_date, amount * 1.5 as amount, 1 as line from ({FACTS}) as facts",
    )
    built.model("marts.total", "select sum(amount) as amount from build_marts.facts", "view", reads=("marts.facts",))
    warehouse.publish(postgres_settings, DAY, "run 2")
    with psycopg.connect(administrator(postgres_settings, postgres_server)) as connection:
        connection.execute("set role c360_reader")
        assert connection.execute("select count(*), sum(line) from marts.facts").fetchone() == (2, 2)
        assert connection.execute("select has_table_privilege('marts.facts', 'update')").fetchone() == (True,)
        assert connection.execute("select count(*) from marts.total").fetchone() == (1,)
    published = publications(postgres_settings)["marts.facts"]["content_hash"]
    assert published == warehouse.content_hash(postgres_settings, "marts.facts")


def test_postgres_roles_read_what_is_theirs_and_the_public_nothing(postgres_settings, postgres_server):
    built = Built(postgres_settings)
    built.model("marts.facts", FACTS)
    built.execute("create schema pii", "create table pii.people as select 'Li' as name")
    for run in (1, 2):
        built.execute("drop table pii.people", "create table pii.people as select 'Li' as name")  # as dbt does
        warehouse.publish(postgres_settings, DAY, f"run {run}")
    allowed = {
        "c360_reader": {"marts.facts", "ops.publications"},
        "c360_pii_reader": {"pii.people"},
        "nobody": set(),
    }
    with psycopg.connect(administrator(postgres_settings, postgres_server), autocommit=True) as connection:
        connection.execute("create role nobody")
        for role, expected in allowed.items():
            connection.execute(f"set role {role}")
            readable = set()
            for table in ("marts.facts", "ops.publications", "pii.people", "build_marts.facts", "raw._publication"):
                try:
                    connection.execute(f"select * from {table}").fetchall()
                    readable.add(table)
                except psycopg.errors.InsufficientPrivilege:
                    pass
            connection.execute("reset role")
            assert readable == expected
        connection.execute("drop role nobody")


POLLING_READER = """
import sys, time
import duckdb, psycopg
target, where = sys.argv[1:]
deadline, reads, seen = time.monotonic() + 60, 0, set()
tables = ("marts.facts", "marts.more", "ops.publications")
print("ready", flush=True)
while time.monotonic() < deadline:
    if target == "duckdb":
        connection = duckdb.connect(where, read_only=True)
    else:
        connection = psycopg.connect(where)
        connection.execute("set transaction isolation level repeatable read")
    with connection:
        ids = connection.execute("select distinct publish_id from ops.publications").fetchall()
        rounds = connection.execute(
            "select distinct run from (select run from marts.facts union all select run from marts.more) as runs"
        ).fetchall()
    connection.close()
    assert len(ids) == 1, ids
    assert len(rounds) == 1, rounds
    assert ids[0][0] == rounds[0][0], (ids, rounds)
    reads += 1
    seen.add(ids[0][0])
    if ids[0][0] == 4:
        break
print(reads, *sorted(seen))
"""


def test_readers_that_poll_see_whole_publishes_and_no_error(built):
    settings = built.settings
    rows = "select number, cast({} as bigint) as run from (values (1), (2), (3)) as numbers (number)"

    def publish(run: int) -> None:
        built.model("marts.facts", rows.format(run))
        built.model("marts.more", rows.format(run))
        assert warehouse.publish(settings, DAY, f"run {run}") == run

    publish(1)
    where = str(settings.warehouse) if settings.target == "duckdb" else settings.postgres_dsn.get_secret_value()
    command = [sys.executable, "-c", POLLING_READER, settings.target, where]
    readers = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for reader in readers:
        assert reader.stdout.readline() == "ready\n"
    for run in (2, 3, 4):
        time.sleep(2)
        publish(run)
    outcomes = [reader.communicate() for reader in readers]
    assert [errors for _, errors in outcomes] == ["", ""]
    reads = [list(map(int, out.split())) for out, _ in outcomes]
    assert sum(count for count, *_ in reads) >= 100
    assert all(seen == [1, 2, 3, 4] for _, *seen in reads)


PUBLISHER = """
import sys
from datetime import date
from lakehouse import lake, warehouse
from lakehouse.settings import PROJECT, Settings
settings = Settings.from_env()
print("ready", flush=True)
while True:
    warehouse.publish(settings, date(2026, 3, 1), "killed run")
"""


def sums(settings: Settings) -> tuple[Decimal, Decimal]:
    """Of the amounts that readers see in the two tables."""
    asked = "select (select sum(amount) from marts.facts) as one, (select sum(amount) from marts.more) as other"
    (row,) = warehouse.query_serving(settings, asked).to_pylist()
    return row["one"], row["other"]


@pytest.mark.parametrize("kills", [3, pytest.param(30, marks=pytest.mark.full)])
@pytest.mark.faults("kill_moments", holds=("content",))
def test_a_publish_killed_at_any_moment_shows_all_or_nothing(built, kills, fault):
    fault.injections = kills
    settings, moments = built.settings, random.Random(11)
    expected = []
    for run in range(kills):
        for name in ("marts.facts", "marts.more"):
            rows = f"select business_date, amount + {run} as amount from ({FACTS}) as facts"
            built.model(name, rows, partition_by="business_date")
        publisher = subprocess.Popen(
            [sys.executable, "-c", PUBLISHER],
            env=os.environ | settings.environment(),
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert publisher.stdout.readline() == "ready\n"
        time.sleep(moments.uniform(0, 0.3))
        publisher.kill()
        publisher.wait()
        published = publications(settings) if warehouse.published_date(settings) else {}
        assert len({row["publish_id"] for row in published.values()}) <= 1
        assert all(warehouse.content_hash(settings, name) == row["content_hash"] for name, row in published.items())
        expected.append(len(published))
        fault.saw("new" if published and sums(settings) == 2 * (Decimal("88.75") + 7 * run,) else "old")
    assert set(expected) <= {0, 2}
    warehouse.publish(settings, DAY, "run after")
    assert sums(settings) == 2 * (Decimal("88.75") + 7 * (kills - 1),)


def test_postgres_keeps_no_byte_of_what_was_replaced_once_it_is_asked_to(postgres_settings, postgres_server):
    """A replaced row stays in its file, and so does the planner's sample of a column, of a dropped table too."""
    with psycopg.connect(postgres_settings.postgres_dsn.get_secret_value()) as ours:
        for schema in ("marts", "raw"):
            ours.execute(f"create schema {schema}")
            ours.execute(f"create table {schema}.people as select '哨兵' || n as name from generate_series(1, 99) as n")
            ours.execute(f"analyze {schema}.people")
        ours.execute("drop schema raw cascade")
        ours.execute("delete from marts.people where name = '哨兵7'")
        ours.execute("analyze marts.people")
    owner = administrator(postgres_settings, postgres_server)

    def is_told():
        with psycopg.connect(owner, autocommit=True) as connection:
            connection.execute("checkpoint")
            ((folder, oid),) = connection.execute(
                "select current_setting('data_directory'), oid from pg_database where datname = current_database()"
            )
        return any(
            re.search("哨兵7[^0-9]".encode(), path.read_bytes()) for path in Path(folder, "base", str(oid)).iterdir()
        )

    assert is_told()
    assert warehouse.remove_retired(postgres_settings) == 1
    assert not is_told()
    assert warehouse.query(postgres_settings, "select count(*) as n from marts.people").to_pylist() == [{"n": 98}]
    with psycopg.connect(owner, autocommit=True) as connection:
        connection.execute(SQL("alter database {} owner to postgres").format(Identifier(connection.info.dbname)))
    with pytest.raises(Stop, match=r"permission denied to vacuum .*: have an administrator run `alter database"):
        warehouse.remove_retired(postgres_settings)


def test_postgres_does_not_wait_behind_a_reader_for_ever(postgres_settings, monkeypatch):
    monkeypatch.setattr(postgres_store, "STEPS_ASIDE", "100ms")
    dsn = postgres_settings.postgres_dsn.get_secret_value()
    with psycopg.connect(dsn) as reader:
        reader.execute("create schema marts; create table marts.people as select 1 as n")
        reader.commit()
        reader.execute("select * from marts.people").fetchall()
        with pytest.raises(Stop, match=r"marts.people is being read.*: call it again when the reader has ended"):
            warehouse.remove_retired(postgres_settings)
    assert warehouse.remove_retired(postgres_settings) == 1
