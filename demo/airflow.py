"""A real Airflow on this machine for the time of a ``with`` block: SQLite, LocalExecutor, loopback only."""

import json
import os
import secrets
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import psutil

from lakehouse.errors import Stop
from lakehouse.settings import PROJECT, Settings

COMPONENTS = ("api-server", "scheduler", "dag-processor")
METADATA = "airflow.db"
START_TIMEOUT = 120.0  # seconds
UNKEPT = httpx.Limits(max_keepalive_connections=0)  # a component may be ended, and started again, between two calls


class AirflowError(Stop):
    """Airflow did not do as asked; the message says where to look."""


@dataclass(frozen=True)
class LocalAirflow:
    """A running Airflow, over its REST interface."""

    home: Path
    url: str
    environment: Mapping[str, str] = field(repr=False)
    client: httpx.Client = field(repr=False)
    processes: dict[str, subprocess.Popen] = field(default_factory=dict)
    sessions: set[int] = field(default_factory=set)  # of every component that was ever started: its tasks stay in it

    def start(self, component: str) -> None:
        """Start a component, or start it again after it has ended."""
        command = _command(component, *(["--port", str(httpx.URL(self.url).port)] if component == "api-server" else []))
        with (self.home / "logs" / f"{component}.log").open("ab") as log:
            process = subprocess.Popen(
                command, env=self.environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        self.processes[component] = process
        self.sessions.add(process.pid)

    def end(self, *signals: signal.Signals) -> None:
        """End every component and every task, by these signals one after the other.

        A task starts a process group, but stays in the session of the component that started it.
        """
        for number in signals:
            for process in (alive := self._members()):
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(number)
            psutil.wait_procs(alive, timeout=8)

    def _members(self) -> list[psutil.Process]:
        processes = []
        for process in psutil.process_iter():
            with suppress(ProcessLookupError):
                if os.getsid(process.pid) in self.sessions:
                    processes.append(process)
        return processes

    def require_alive(self) -> None:
        """Raise ``AirflowError`` if a component has ended; the message has the tail of its log."""
        for component, process in self.processes.items():
            if process.poll() is not None:
                log = self.home / "logs" / f"{component}.log"
                raise AirflowError(f"airflow {component} ended with code {process.returncode}, see {log}\n{tail(log)}")

    def ask(self, method: str, path: str, **arguments: Any) -> Any:
        """One call of the REST interface; what it answers.

        Raises
        ------
        AirflowError
            If it answers with an error.
        """
        response = self.client.request(method, f"/api/v2{path}", **arguments)
        if response.is_error:
            raise AirflowError(f"{method} {path}: {response.status_code} {response.text}")
        return response.json()

    def import_pools(self) -> None:
        """Give Airflow the pools of a deployment, as ``airflow pools import deploy/pools.json`` does."""
        described = json.loads((PROJECT / "deploy" / "pools.json").read_text())
        entities = [{"name": name} | pool for name, pool in described.items()]
        action = {"action": "create", "action_on_existence": "overwrite", "entities": entities}
        self.ask("PATCH", "/pools", json={"actions": [action]})

    def backfill(self, dag_id: str, first: date, last: date) -> None:
        """Back-fill one DAG over a range of business dates, one run at a time."""
        body = {"dag_id": dag_id, "from_date": f"{first}T00:00:00Z", "to_date": f"{last}T00:00:00Z"}
        self.ask("POST", "/backfills", json=body | {"max_active_runs": 1})

    def runs(self) -> list[dict]:
        """Every run of every DAG: ``dag_id``, ``dag_run_id``, ``partition_key``, ``state``, ``duration``, ..."""
        return self.ask("GET", "/dags/~/dagRuns", params={"limit": 1000, "order_by": "id"})["dag_runs"]

    def tasks(self, run: dict) -> list[dict]:
        """The task instances of one run."""
        path = f"/dags/{run['dag_id']}/dagRuns/{run['dag_run_id']}/taskInstances"
        return self.ask("GET", path, params={"limit": 1000})["task_instances"]

    def log_file(self, task: dict) -> Path | None:
        """The log of the last try of a task instance."""
        folder = self.home / "logs" / f"dag_id={task['dag_id']}" / f"run_id={task['dag_run_id']}"
        folder = folder / f"task_id={task['task_id']}"
        if task["map_index"] >= 0:
            folder = folder / f"map_index={task['map_index']}"
        return max(folder.glob("attempt=*.log"), default=None)

    def dag_ids(self) -> set[str]:
        """The DAGs that Airflow has read.

        Raises
        ------
        AirflowError
            If a DAG file cannot be imported.
        """
        if errors := self.ask("GET", "/importErrors")["import_errors"]:
            raise AirflowError("\n".join(f"{error['filename']}: {error['stack_trace']}" for error in errors))
        return {dag["dag_id"] for dag in self.ask("GET", "/dags", params={"limit": 100})["dags"]}


@contextmanager
def local_airflow(home: Path, settings: Settings, last_date: date, dag_ids: set[str]) -> Generator[LocalAirflow]:
    """Start Airflow in ``home``, wait until it is healthy and has read every DAG, and end all of it with the block.

    Parameters
    ----------
    home
        Metadata and logs; kept, so that a later start goes on from there.
    settings
        Of the tasks.
    last_date
        The last business date of the bank's deliveries: its dates are run by back-fill, the real clock makes none.
    dag_ids
        The DAGs to wait for.

    Raises
    ------
    AirflowError
        If a component ends, or does not become healthy in time; names its log.
    """
    (home / "logs").mkdir(parents=True, exist_ok=True)
    port = _free_port()
    environment = {**os.environ, **configuration(home, port), "C360_LAST_DATE": str(last_date)}
    environment["PYTHONPATH"] = str(PROJECT / "deploy" / "airflow")
    environment |= settings.environment()
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # each task is a process: without byte code it would compile anew
    _run(home, environment, "db", "migrate")
    _let_readers_and_a_writer_work_at_once(home / METADATA)
    url = f"http://127.0.0.1:{port}"
    airflow = LocalAirflow(home, url, environment, httpx.Client(base_url=url, timeout=30, limits=UNKEPT))
    try:
        for component in COMPONENTS:
            airflow.start(component)
        _wait_until_ready(airflow, dag_ids)
        airflow.import_pools()
        yield airflow
    finally:
        airflow.client.close()
        airflow.end(signal.SIGTERM, signal.SIGKILL)


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def configuration(home: Path, port: int) -> dict[str, str]:
    """The variables of an Airflow that listens on this machine alone, and asks nobody for a password."""
    sections = {
        "core": {
            "dags_folder": PROJECT / "dags",
            "load_examples": False,
            "executor": "LocalExecutor",
            "parallelism": 4,
            "dags_are_paused_at_creation": False,
            "execution_api_server_url": f"http://127.0.0.1:{port}/execution/",
            "simple_auth_manager_all_admins": True,  # loopback only
        },
        "api": {"host": "127.0.0.1", "base_url": f"http://127.0.0.1:{port}", "workers": 1},
        "api_auth": {"jwt_secret": secrets.token_hex(32)},
        "database": {
            "sql_alchemy_conn": f"sqlite:///{home / METADATA}",
            "sql_alchemy_connect_args": "airflow_local_settings.sqlite_connect_args",
            "sql_alchemy_connect_args_async": "airflow_local_settings.sqlite_connect_args",
        },
        "dag_processor": {"min_file_process_interval": 600},  # the files do not change meanwhile
        "scheduler": {"scheduler_idle_sleep_time": 0.3},
        "logging": {"base_log_folder": home / "logs"},
    }
    return {"AIRFLOW_HOME": str(home)} | {
        f"AIRFLOW__{section.upper()}__{name.upper()}": str(value)
        for section, options in sections.items()
        for name, value in options.items()
    }


def _let_readers_and_a_writer_work_at_once(metadata: Path) -> None:
    with closing(sqlite3.connect(metadata)) as database:
        database.execute("pragma journal_mode = wal")  # kept in the file


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "airflow", *arguments]


def _run(home: Path, environment: Mapping[str, str], *arguments: str) -> None:
    done = subprocess.run(_command(*arguments), env=environment, capture_output=True, text=True, check=False)
    (home / "logs" / f"{arguments[0]}.log").write_text(done.stdout + done.stderr)
    if done.returncode:
        raise AirflowError(f"airflow {' '.join(arguments)} failed:\n{done.stderr[-2000:]}")


def _wait_until_ready(airflow: LocalAirflow, dag_ids: set[str]) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while not (_is_healthy(airflow) and dag_ids <= airflow.dag_ids()):
        airflow.require_alive()
        if time.monotonic() > deadline:
            raise AirflowError(f"Airflow is not healthy after {START_TIMEOUT:.0f} s: see {airflow.home / 'logs'}")
        time.sleep(0.5)


def _is_healthy(airflow: LocalAirflow) -> bool:
    try:
        health = airflow.ask("GET", "/monitor/health")
    except (httpx.TransportError, AirflowError):
        return False  # not yet listening
    return all(health[component]["status"] == "healthy" for component in ("metadatabase", "scheduler", "dag_processor"))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
