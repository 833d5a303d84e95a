"""Two runs of a date, runs that stand still, runs that wake after another has taken over."""

import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator

import psutil
import psycopg
import pytest

from lakehouse.settings import Settings
from lakehouse.warehouse.engines.postgres_lock import BUILD_LOCK
from tests.faults_table import Fault
from tests.pipeline.faults.conftest import Install
from tests.pipeline.faults.installation import D1, LAST_OF_HISTORY, Installation, command_of, stage_of

pytestmark = [pytest.mark.full, pytest.mark.timeout(3600)]
PAUSES = 20
COMES_TO_IT = 5  # seconds: a run that has begun asks for the engine, in its checks or in its build
HELD = """
    select count(*) > 0 from pg_locks inner join pg_database on pg_locks.database = pg_database.oid
    where datname = current_database() and locktype = 'advisory' and objid = %s and granted
"""


@contextlib.contextmanager
def standing_still(installation: Installation, stage: str, is_holding: bool) -> Iterator[subprocess.Popen]:
    """A run that was stopped within a stage, with the engine in its hands or not; who waits for it has to wake it."""
    process = command_of(installation.settings, D1)
    try:
        for line in process.stderr:
            if stage_of(line) == stage:
                break
        os.killpg(process.pid, signal.SIGSTOP)
        while holds_engine(process, installation.settings) != is_holding:
            os.killpg(process.pid, signal.SIGCONT)
            time.sleep(0.05)
            os.killpg(process.pid, signal.SIGSTOP)
        assert process.poll() is None
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def holds_engine(process: subprocess.Popen, settings: Settings) -> bool:
    """Whether it has the build file or its lock open, or somebody the lock in the database of the installation."""
    if settings.target == "postgres":
        with psycopg.connect(settings.postgres_dsn.get_secret_value()) as connection:
            return connection.execute(HELD, [BUILD_LOCK]).fetchone() == (True,)
    opened = {file.path for file in psutil.Process(process.pid).open_files()}
    return bool({str(settings.build), f"{settings.build}.lock"} & opened)


def woken(process: subprocess.Popen) -> str:
    """Let it go on to its end; what it said."""
    os.killpg(process.pid, signal.SIGCONT)
    _, said = process.communicate(timeout=600)
    return said


@pytest.mark.faults("at_once")
def test_a_date_twice_at_once(install: Install, fault: Fault) -> None:
    installation = install()
    runs = [command_of(installation.settings, D1) for _ in range(2)]
    said = [run.communicate(timeout=900)[1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], said
    installation.sees(LAST_OF_HISTORY, D1)
    installation.equals(D1)


@pytest.mark.faults("zombie")
@pytest.mark.parametrize("stage", ["score", "build"])
def test_a_run_that_wakes_after_its_retry(on_duckdb: Install, stage: str) -> None:
    """In `score` it holds nothing, so the retry passes it; in `build` it holds the engine, and the retry waits."""
    installation = on_duckdb()
    with standing_still(installation, stage, is_holding=stage == "build") as zombie:
        retry = command_of(installation.settings, D1)
        if stage == "build":
            for line in retry.stderr:
                if stage_of(line):
                    break
            time.sleep(COMES_TO_IT)
            assert retry.poll() is None
            installation.sees(LAST_OF_HISTORY, D1)
            os.killpg(zombie.pid, signal.SIGCONT)
        said = retry.communicate(timeout=900)[1]
        assert retry.returncode == 0, said
        installation.sees(LAST_OF_HISTORY, D1)
        said = woken(zombie)
        assert zombie.returncode == 0, said
    installation.sees(LAST_OF_HISTORY, D1)
    installation.equals(D1)


@pytest.mark.faults("slow_disk")
def test_a_run_that_stands_still_again_and_again(install: Install, fault: Fault) -> None:
    """Whoever waits for a disk does not run; so a run is stopped and let go on, and readers read meanwhile."""
    installation, chance = install(), random.Random(3)
    with command_of(installation.settings, D1) as process:
        for number in range(PAUSES):
            time.sleep(chance.uniform(0.1, 1.5))
            if process.poll() is not None:
                break
            os.killpg(process.pid, signal.SIGSTOP)
            time.sleep(chance.uniform(0.2, 0.8))
            if number % 4 == 0:
                installation.sees(LAST_OF_HISTORY, D1)
            os.killpg(process.pid, signal.SIGCONT)
            fault.injections = number + 1
        said = process.stderr.read()
    assert process.returncode == 0, said
    installation.sees(LAST_OF_HISTORY, D1)
    installation.equals(D1)
