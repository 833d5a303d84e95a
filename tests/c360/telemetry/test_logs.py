"""Logs are lines of JSON that say what they are about, and name no person whatever goes wrong."""

import io
import json
import logging
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from c360.intake import ingest
from c360.steps import step
from c360.telemetry import logs
from lakehouse.errors import Stop
from lakehouse.settings import PROJECT, Settings
from tests.c360.telemetry.conftest import CANARY
from tests.lakehouse.ingestion.bank import CUSTOMER, DAY, Bank

TODAY = date.fromisoformat(DAY)


Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lines]:
    """What has been logged since it was last asked, line by line; the canary is in none of it."""
    root, written = logging.root, io.StringIO()
    handlers, level = root.handlers, root.level
    monkeypatch.setenv(logs.FORMAT, "json")
    monkeypatch.setattr(sys, "stderr", written)
    logs.configure()

    def read() -> list[dict[str, Any]]:
        text = written.getvalue()
        written.seek(0)
        written.truncate()
        assert [name for name, value in CANARY.items() if value in text] == []
        return [json.loads(line) for line in text.splitlines()]

    yield read
    root.handlers = handlers
    root.setLevel(level)
    logging.captureWarnings(False)


def test_every_line_says_run_date_step_and_feed(bank: Bank, lines: Lines) -> None:
    ingest(bank.settings, "customers", TODAY, "run-7")
    said = lines()
    assert [line["event"] for line in said][:: len(said) - 1] == ["step begins", "step ended"]
    about = {"run_id": "run-7", "business_date": DAY, "step": "ingest_customers", "feed": "customers"}
    for line in said:
        assert about.items() <= line.items()
        assert {"timestamp", "level", "logger"} <= line.keys()
    logging.getLogger("lakehouse").info("outside of a step")
    (outside,) = lines()
    assert about.keys().isdisjoint(outside)


def test_what_a_module_of_the_data_plane_logs_carries_the_step(bank: Bank, lines: Lines) -> None:
    stray = bank.settings.landing / "customers" / "customers.manifest.json"
    stray.write_text("{}")
    ingest(bank.settings, "customers", TODAY, "run")
    (warning,) = [line for line in lines() if line["level"] == "warning"]
    assert warning["step"] == "ingest_customers" and str(warning["logger"]).startswith("lakehouse.ingestion")


def _of_a_database() -> None:
    duckdb.execute("select cast(? as integer)", [CANARY["name"]])


def _of_a_library() -> None:
    float(CANARY["phone"] + CANARY["name"])


def _of_a_chain() -> None:
    try:
        _of_a_database()
    except duckdb.Error as error:
        raise ValueError(f"row 7: {error}") from error


@pytest.mark.parametrize("fault", [_of_a_database, _of_a_library, _of_a_chain])
def test_an_error_is_told_by_kind_and_place_and_never_by_its_values(
    settings: Settings, lines: Lines, fault: Callable[[], None]
) -> None:
    with pytest.raises(Exception) as raised, step(settings, "run", "build", TODAY):  # noqa: PT011 (of any kind)
        fault()
    kind = type(raised.value).__name__
    failed = lines()[-1]
    assert (failed["event"], failed["level"]) == ("step failed", "error")
    assert str(failed["error"]).startswith(kind)
    ours, theirs = logging.getLogger("lakehouse.made_up"), logging.getLogger("a.library")
    for logger in (ours, theirs):
        try:
            fault()
        except Exception as failure:
            logger.exception("it failed")
            logger.warning("asked again: %s", failure)
    theirs.warning("cannot read '%s' of %s", CANARY["name"], CANARY["phone"])
    warnings.warn(f"odd value '{CANARY['email']}'", stacklevel=1)
    said = lines()
    assert len(said) == 6
    assert [line["at"][-1].rpartition(":")[0] for line in said if "at" in line] == 2 * [
        "tests/c360/telemetry/test_logs.py"
    ]


def command(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("C360_")}
    environment = kept | settings.environment() | {"PYTHONPATH": str(PROJECT), logs.FORMAT: "json"}
    words = [sys.executable, "-m", "c360", *arguments]
    return subprocess.run(words, env=environment, capture_output=True, text=True, check=False)


def test_a_command_says_on_standard_error_nothing_but_lines_of_json(bank: Bank, tmp_path: Path) -> None:
    data = bank.settings.landing / "customers" / f"customers_{DAY}_v1.dat"
    broken = tmp_path / "broken.dat"
    broken.write_bytes(data.read_bytes() + "|".join(CANARY.values()).encode("gb18030") + b"\xff")
    cases = {
        ("run",): 1,  # required feeds are missing
        ("check", str(broken), "--feed", "customers", "--date", DAY): 1,
        ("check", str(tmp_path / "not there"), "--feed", "customers", "--date", DAY): 2,
    }
    for arguments, code in cases.items():
        done = command(bank.settings, *arguments)
        assert done.returncode == code, done.stderr
        assert [name for name, value in CANARY.items() if value in done.stderr + done.stdout] == []
        if code == 1:
            said = [json.loads(line) for line in done.stderr.splitlines()]
            assert said[-1]["level"] == "error" and str(said[-1]["event"]).startswith("stopped: ")


def test_a_form_that_there_is_not_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(logs.FORMAT, "xml")
    with pytest.raises(Stop, match="C360_LOG_FORMAT is 'xml': give text or json"):
        logs.configure()


def test_tasks_of_airflow_log_the_same_context(tmp_path: Path) -> None:
    """Airflow's own logs take it from structlog, as a task's do here, in a process that Airflow has set up."""
    program = """
import logging, sys
from datetime import date
from airflow.sdk.log import configure_logging
configure_logging(json_output=True, output=sys.stdout.buffer)
from c360.telemetry.logs import about
with about("run-7", date(2026, 1, 5), "ingest_customers", "customers"):
    logging.getLogger("lakehouse.ingestion").warning("a stray file")
"""
    environment = os.environ | {"AIRFLOW_HOME": str(tmp_path), "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True, cwd=tmp_path
    )
    (line,) = [json.loads(text) for text in done.stdout.splitlines() if "stray" in text]
    assert (line["run_id"], line["business_date"], line["step"]) == ("run-7", DAY, "ingest_customers")
    assert CUSTOMER["name"] not in done.stdout
