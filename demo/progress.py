"""Lines with elapsed seconds, and waiting for Airflow with something to read meanwhile."""

import json
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

from rich.console import Console
from rich.text import Text

from demo.airflow import AirflowError, LocalAirflow

Say = Callable[[str | Text], None]
POLL = 1.0  # seconds
QUIET = 15.0  # seconds without news, after which a line says what is running
PATIENCE = 1800.0  # seconds for all runs together
SHOWN_LINES = 12  # of a failed task's log


def stop_watch(console: Console) -> Say:
    """A printer of lines with the seconds since it was made."""
    began = time.monotonic()
    return lambda line: console.print(
        Text.assemble((f"{time.monotonic() - began:5.0f} s ", "dim"), line), highlight=False, soft_wrap=True
    )


def follow(airflow: LocalAirflow, dag_ids: set[str], dates: list[date], say: Say) -> None:
    """Wait until every DAG has succeeded for every date.

    Raises
    ------
    AirflowError
        If a run fails, names the task, its date and its log; or if they do not end in half an hour.
    """
    expected = {(dag_id, str(day)) for dag_id in dag_ids for day in dates}
    deadline, last_news, reported = time.monotonic() + PATIENCE, time.monotonic(), set()
    while True:
        airflow.require_alive()
        runs = [run for run in airflow.runs() if (run["dag_id"], run["partition_key"]) in expected]
        for run in runs:
            if run["state"] == "failed":
                raise AirflowError(_why(airflow, run))
            if run["state"] == "success" and run["dag_run_id"] not in reported:
                reported.add(run["dag_run_id"])
                duration = f" in {run['duration']:.0f} s"
                say(Text.assemble(f"{run['partition_key']} ", (run["dag_id"], "green"), duration))
                last_news = time.monotonic()
        if expected <= {(run["dag_id"], run["partition_key"]) for run in runs if run["state"] == "success"}:
            return
        if time.monotonic() > deadline:
            raise AirflowError(f"not all runs have ended after {PATIENCE:.0f} s: see {airflow.home / 'logs'}")
        if time.monotonic() - last_news > QUIET:
            say(_at_work(airflow, runs))
            last_news = time.monotonic()
        time.sleep(POLL)


def _at_work(airflow: LocalAirflow, runs: list[dict]) -> Text:
    """What is running now; tasks that failed and will be tried again are named with a log to read."""
    parts = []
    for run in (run for run in runs if run["state"] == "running"):
        tasks = airflow.tasks(run)
        done = sum(task["state"] == "success" for task in tasks)
        busy = sorted({task["task_id"] for task in tasks if task["state"] == "running"})
        again = [task for task in tasks if task["state"] == "up_for_retry"]
        parts.append(
            f"{run['partition_key']} {run['dag_id']}: {done} of {len(tasks)} tasks, now {', '.join(busy) or 'waiting'}"
        )
        if again:
            parts.append(f"{len(again)} failed and will be tried again, e.g. {airflow.log_file(again[0])}")
    return Text("; ".join(parts or ["waiting for the scheduler"]), "dim")


def _why(airflow: LocalAirflow, run: dict) -> str:
    lines = [f"{run['dag_id']} failed for {run['partition_key']}"]
    for task in airflow.tasks(run):
        if task["state"] == "failed" and task["task_id"] != "report_failure":
            log = airflow.log_file(task)
            lines.append(f"task {_name(task)}, log {log}:")
            lines += _last_lines(log) if log else ["no log: the task never began"]
    return "\n".join(lines)


def _last_lines(log: Path) -> list[str]:
    """The last lines of a task's log, which Airflow writes as JSON, as text with the exceptions."""
    lines = []
    for line in log.read_text().splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            lines.append(line)
            continue
        lines.append(f"  {record.get('timestamp', '')[11:19]} {record.get('event', '')}")
        lines += [f"    {error['exc_type']}: {error['exc_value']}" for error in record.get("error_detail") or ()]
    return lines[-SHOWN_LINES:]


def _name(task: dict) -> str:
    return f"{task['task_id']}[{task['rendered_map_index']}]" if task["map_index"] >= 0 else task["task_id"]
