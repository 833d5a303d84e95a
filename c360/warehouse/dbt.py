"""dbt as a subprocess: one call per layer, its outcome as objects."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg.conninfo import conninfo_to_dict

from c360.settings import PROJECT, Settings
from c360.warehouse import postgres

DBT_PROJECT = PROJECT / "dbt_project"
PROFILES = PROJECT / "dbt_project"
FAILED = {"error", "fail", "runtime error", "partial success"}


class DbtFailed(RuntimeError):
    """dbt did not build what was asked; the message names every failing node and why."""


@dataclass(frozen=True)
class Node:
    """What became of one model, seed or test."""

    name: str
    status: str
    seconds: float
    message: str


def target_path(settings: Settings) -> Path:
    """Where dbt keeps manifest, results and logs of this deployment: beside the build file, not in the sources."""
    return settings.build.with_name(f"{settings.build.stem}.dbt") / settings.target


def run_dbt(
    settings: Settings,
    selection: str,
    variables: Mapping[str, Any],
    progress: Callable[[str], None] | None = None,
) -> tuple[Node, ...]:
    """``dbt build`` of ``selection``, its data tests included; unit tests judge the code, so ``make test`` runs them.

    Parameters
    ----------
    selection : str
        As for ``dbt --select``, for instance ``tag:marts``.
    variables : mapping
        dbt's ``--vars``; dates become ISO text.
    progress : callable, optional
        Gets one line of text per finished node.

    Returns
    -------
    tuple of Node
        In the order of their end; those with status ``warn`` are tests that warn.

    Raises
    ------
    DbtFailed
        If a node failed, dbt itself did, or a part of the selection matches nothing.
    """
    target = target_path(settings)
    target.mkdir(parents=True, exist_ok=True)
    results = target / "run_results.json"
    results.unlink(missing_ok=True)
    command = [sys.executable, "-P", str(Path(__file__).with_name("_dbt_child.py")), "build"]
    command += ["--select", selection, "--indirect-selection", "buildable", "--exclude-resource-type", "unit_test"]
    command += ["--vars", json.dumps(dict(variables), default=str)]
    command += ["--project-dir", str(DBT_PROJECT), "--profiles-dir", str(PROFILES), "--target", settings.target]
    command += ["--target-path", str(target), "--log-path", str(target / "logs")]
    command += ["--log-format", "json", "--no-use-colors"]
    command += ["--warn-error-options", '{"error": ["NoNodesForSelectionCriteria"]}']
    environment = {**os.environ, **_connection(settings), "C360_PARENT_PID": str(os.getpid())}
    errors = []
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            for line in process.stdout:
                name, level, message = _event(line)
                if level == "error":
                    errors.append(message)
                if progress and name in ("LogModelResult", "LogSeedResult", "LogTestResult"):
                    progress(message)
        except BaseException:
            process.kill()
            raise
    nodes = _nodes(results)
    if failed := [node for node in nodes if node.status in FAILED]:
        raise DbtFailed("\n".join(f"{node.name}: {node.status}: {node.message}" for node in failed))
    if process.returncode != 0:
        raise DbtFailed("\n".join(errors) or f"dbt ended with code {process.returncode}: see {target / 'logs'}")
    if not nodes:
        raise DbtFailed(f"nothing in the dbt project matches {selection!r}")
    return nodes


def _connection(settings: Settings) -> dict[str, str]:
    """The environment that ``profiles.yml`` reads."""
    environment = {
        "C360_TARGET": settings.target,
        "C360_BUILD": str(settings.build),
        "C360_MEMORY_LIMIT": settings.memory_limit,
    }
    if settings.target == "postgres":
        names = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD", "dbname": "DATABASE"}
        given = conninfo_to_dict(settings.postgres_dsn)
        environment["PGOPTIONS"] = postgres.OPTIONS
        environment |= {f"C360_PG_{name}": str(given[key]) for key, name in names.items() if given.get(key)}
    return environment


def _event(line: str) -> tuple[str, str, str]:
    """(name, level, message) of one line of dbt's JSON log; whatever is no JSON came from a crash."""
    try:
        info = json.loads(line)["info"]
    except (ValueError, KeyError, TypeError):
        return "", "error", line.rstrip()
    return info["name"], info["level"], info["msg"]


def _nodes(results: Path) -> tuple[Node, ...]:
    if not results.exists():
        return ()
    return tuple(
        Node(
            name=result["unique_id"].split(".")[2],
            status=result["status"],
            seconds=result["execution_time"],
            message=result["message"] or "",
        )
        for result in json.loads(results.read_text())["results"]
    )
