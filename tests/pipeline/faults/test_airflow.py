"""A worker, the scheduler, all of Airflow are killed within a date, its metadata are lost: readers get every date."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date

import psutil
import pytest

from demo.airflow import METADATA, LocalAirflow, local_airflow
from demo.progress import follow
from tests.faults_table import Fault
from tests.pipeline.faults.conftest import Install
from tests.pipeline.faults.installation import D1, D2, LAST_OF_HISTORY, Installation

pytestmark = [pytest.mark.full, pytest.mark.timeout(3600)]

PRODUCERS = {"ingest_branch", "ingest_online"}
DAGS = PRODUCERS | {"build_customer_360", "score_customers", "retrain_models"}
# seconds of silence after which a task or a scheduler is given up, and between two looks; by default up to 5 minutes
SOONER = {
    "TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
    "SCHEDULER_HEALTH_CHECK_THRESHOLD": "30",
    "ORPHANED_TASKS_CHECK_INTERVAL": "10",
}


@contextmanager
def started(installation: Installation) -> Iterator[LocalAirflow]:
    """Airflow, in its home beside the lake: it goes on from the metadata that it finds there."""
    with pytest.MonkeyPatch.context() as patch:
        for name, seconds in SOONER.items():
            patch.setenv(f"AIRFLOW__SCHEDULER__{name}", seconds)
        home = installation.settings.lake.parent / "airflow"
        with local_airflow(home, installation.settings, D2, DAGS) as airflow:
            yield airflow


def backfilled(airflow: LocalAirflow, first: date, last: date) -> None:
    for dag_id in PRODUCERS:
        airflow.backfill(dag_id, first, last)


def at_work(airflow: LocalAirflow, dag_id: str, task_id: str, day: date) -> psutil.Process:
    """The worker of the scheduler that has a date's task at work, two seconds after it began."""
    deadline = time.monotonic() + 1200
    while time.monotonic() < deadline:
        instances = {task["id"] for task in tasks(airflow, dag_id, task_id, day)}
        for worker in psutil.Process(airflow.processes["scheduler"].pid).children():
            with suppress(psutil.NoSuchProcess):  # it has just ended
                if instances.intersection(" ".join(worker.cmdline()).split()):  # its title names the task
                    time.sleep(2)
                    return worker
        time.sleep(0.2)
    raise AssertionError(f"{dag_id}.{task_id} of {day} did not begin")


def tasks(airflow: LocalAirflow, dag_id: str, task_id: str, day: date) -> list[dict]:
    """The instances of a date's task."""
    runs = [run for run in airflow.runs() if (run["dag_id"], run["partition_key"]) == (dag_id, str(day))]
    return [task for run in runs for task in airflow.tasks(run) if task["task_id"] == task_id]


@pytest.mark.faults("airflow")
def test_airflow_is_killed_and_forgets(on_duckdb: Install, fault: Fault) -> None:
    """A worker, then the scheduler, then all of it at once; then its metadata are gone, and every date is run again."""
    installation, fault.injections = on_duckdb(), 4
    with started(installation) as airflow:
        backfilled(airflow, D1, D1)
        worker = at_work(airflow, "build_customer_360", "build", D1)
        for process in (worker, *worker.children(recursive=True)):
            process.send_signal(signal.SIGKILL)
        installation.sees(LAST_OF_HISTORY, D1)
        at_work(airflow, "score_customers", "score", D1)
        (build,) = tasks(airflow, "build_customer_360", "build", D1)
        assert (build["state"], build["try_number"]) == ("success", 2)
        scheduler = airflow.processes["scheduler"]
        os.kill(scheduler.pid, signal.SIGKILL)  # its workers live on, and the task with them
        scheduler.wait()
        installation.sees(LAST_OF_HISTORY, D1)
        airflow.start("scheduler")
        at_work(airflow, "score_customers", "serve", D1)
        airflow.end(signal.SIGKILL)
    installation.sees(LAST_OF_HISTORY, D1)
    for path in (installation.settings.lake.parent / "airflow").glob(f"{METADATA}*"):
        path.unlink()
    with started(installation) as airflow:
        assert airflow.runs() == []
        backfilled(airflow, LAST_OF_HISTORY, D2)
        follow(airflow, DAGS, [LAST_OF_HISTORY, D1, D2], print)
    installation.sees(D1, D2)
    installation.equals(D2)
