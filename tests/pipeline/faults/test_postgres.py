"""The database dies or hangs up while a date is loaded, built and published; a run that lost its lock is fenced off."""

import os
import random
import signal
import time

import psycopg
import pytest

from c360 import pipeline
from lakehouse.warehouse.engines.postgres_lock import BUILD_LOCK
from lakehouse.warehouse.stores.postgres import PUBLISH_LOCK
from tests.faults_table import Fault
from tests.pipeline.faults.conftest import Install
from tests.pipeline.faults.installation import D1, LAST_OF_HISTORY, command_of, stage_of
from tests.pipeline.faults.server import Server
from tests.pipeline.faults.test_rivals import standing_still, woken

pytestmark = [pytest.mark.full, pytest.mark.timeout(3600)]
PUBLISHING = """
    select coalesce(bool_or(query ~* '^(insert into|update) raw[.]_publication'), false)
    from pg_locks
    inner join pg_stat_activity using (pid)
    where locktype = 'advisory' and objid = %s and granted and datname = current_database()
    having count(*) > 0
"""
LOADING = """
    select true from pg_locks inner join pg_database on pg_locks.database = pg_database.oid
    where datname = current_database() and relation = to_regclass('raw._attached')
        and mode = 'ExclusiveLock' and granted
"""
BUILDING = """select true from pg_stat_activity where datname = current_database() and query like '/* {"app": "dbt"%'"""
MOMENTS = {"load": ("build", LOADING), "build": ("build", BUILDING), "before the publish": ("serve", BUILDING)}
AT_WORK = 1  # seconds: dbt has said its first statement, a run has taken the lock
PATIENCE = 300  # seconds until a moment comes, on a busy machine


def database(dsn: str) -> str:
    """The name of the database that a connection string leads to."""
    return psycopg.conninfo.conninfo_to_dict(dsn)["dbname"]


@pytest.mark.faults("postgres_killed")
def test_the_server_is_killed(on_postgres: Install, server: Server, fault: Fault) -> None:
    """After each, the run has failed, the server comes back from its log, and readers see old or new."""
    installation, fault.injections = on_postgres(), len(MOMENTS) + 2
    dsn = installation.settings.postgres_dsn.get_secret_value()
    for moment in (*MOMENTS, "publish", "commit"):
        stage, sign = MOMENTS.get(moment, ("serve", ""))
        with command_of(installation.settings, D1) as process:
            for line in process.stderr:
                if stage_of(line) == stage:
                    break
            wait_for(dsn, sign) if sign else wait_for_a_publish(dsn, until_its_end=moment == "commit")
            time.sleep(AT_WORK if sign == BUILDING else 0)
            server.crash()
            said = process.stderr.read()
        server.start()
        assert process.returncode == 1 or moment == "commit", f"{moment}: {said}"
        assert "Traceback" not in said, said
        installation.sees(LAST_OF_HISTORY, D1)
    installation.recovers(D1)


def wait_for(dsn: str, sign: str) -> None:
    """Until this query of what the server is doing has a row."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        deadline = time.monotonic() + PATIENCE
        while not connection.execute(sign).fetchone():
            assert time.monotonic() < deadline, sign
            time.sleep(0.001)


def wait_for_a_publish(dsn: str, until_its_end: bool) -> None:
    """Until a publish has begun; or until it says its last before the commit, or is just over."""
    has_begun = False
    with psycopg.connect(dsn, autocommit=True) as connection:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            publishing = connection.execute(PUBLISHING, [PUBLISH_LOCK]).fetchone()
            has_begun = has_begun or publishing is not None
            if has_begun and (not until_its_end or publishing in (None, (True,))):
                return
            time.sleep(0.001)
    raise AssertionError("nothing was published")


@pytest.mark.faults("connections")
def test_connections_are_dropped(on_postgres: Install, server: Server, fault: Fault) -> None:
    installation, chance, fault.injections = on_postgres(), random.Random(5), 4
    name = database(installation.settings.postgres_dsn.get_secret_value())
    for stage in 2 * ("build", "serve"):
        with command_of(installation.settings, D1) as process:
            for line in process.stderr:
                if stage_of(line) == stage:
                    break
            time.sleep(chance.uniform(0.5, 4))
            assert server.disconnect(name)
            said = process.stderr.read()
        assert process.returncode == 1 and "again" in said and "Traceback" not in said, said
        installation.sees(LAST_OF_HISTORY, D1)
    installation.recovers(D1)


@pytest.mark.faults("zombie")
@pytest.mark.parametrize("stage", ["build", "serve"])
def test_a_run_that_lost_its_lock_is_fenced_off(on_postgres: Install, stage: str) -> None:
    """A run stands still, the network drops its lock, its retry ends; awake again, it changes nothing."""
    installation = on_postgres()
    dsn = installation.settings.postgres_dsn.get_secret_value()
    with standing_still(installation, stage, is_holding=True) as zombie:
        os.killpg(zombie.pid, signal.SIGCONT)
        time.sleep(AT_WORK)
        os.killpg(zombie.pid, signal.SIGSTOP)
        with psycopg.connect(dsn, autocommit=True) as connection:
            dropped = connection.execute(
                "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and objid = %s and granted "
                "and database = (select oid from pg_database where datname = current_database())",
                [BUILD_LOCK],
            ).fetchall()
        assert dropped == [(True,)]
        pipeline.run(installation.settings, D1, D1)
        installation.sees(LAST_OF_HISTORY, D1)
        said = woken(zombie)
        assert zombie.returncode == 1, said
    installation.sees(LAST_OF_HISTORY, D1)
    installation.equals(D1)
    installation.recovers(D1)
