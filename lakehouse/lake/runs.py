"""A record in the lake of every step of every run, failed ones included."""

import json
import re
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NotRequired, TypedDict

from lakehouse.errors import Stop, without_values
from lakehouse.lake.audit.sealing import replacing
from lakehouse.lake.files import json_text, write_json
from lakehouse.lake.running import working
from lakehouse.settings import Settings

Detail = dict[str, object]  # what a step says of its work, by name


class Record(TypedDict):
    """How a step of a run ended, as its file has it; dates and times are text."""

    run_id: str
    business_date: str
    step: str
    status: str  # "success", "failed"
    started_at: str
    ended_at: str
    error: str | None
    remedy: NotRequired[str]  # of an error that says what to do
    detail: Detail


def warnings_of(record: Record) -> list[str]:
    """What a step says that did not stop it: expectations that were not met, rows that do not fit."""
    said = record["detail"].get("warnings", [])
    return [str(warning) for warning in said] if isinstance(said, list) else []


@contextmanager
def recorded(settings: Settings, run_id: str, step: str, business_date: date) -> Generator[Detail]:
    """Show a step as at work, time it, and write how it ended to ``runs/<run_id>/<step>.json``.

    The block may fill the yielded detail.
    The clock is read for these records only: nothing in the data depends on it.
    """
    started, error, remedy = datetime.now(UTC), None, ""
    detail: Detail = {}
    try:
        with working(settings.lake, step, business_date, run_id):
            yield detail
    except BaseException as failure:
        error = without_values(failure)
        remedy = failure.remedy if isinstance(failure, Stop) else ""
        raise
    finally:
        record = {
            "run_id": run_id,
            "business_date": business_date,
            "step": step,
            "status": "failed" if error else "success",
            "started_at": started.strftime("%Y-%m-%d %H:%M:%S.%f"),
            "ended_at": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f"),
            "error": error,
            "remedy": remedy,
            "detail": detail,
        }
        path = settings.lake / "runs" / safe_run_id(run_id) / f"{step}.json"
        replacing(settings.lake, path, json_text(record), run_id, "the step ran again")
        write_json(path, record)


def read_records(lake: Path, run_id: str = "*") -> list[Record]:
    """The records of one run, or of all, the newest last."""
    folder = run_id if run_id == "*" else safe_run_id(run_id)
    records: list[Record] = [json.loads(path.read_text()) for path in (lake / "runs").glob(f"{folder}/[!.]*.json")]
    return sorted(records, key=lambda record: record["ended_at"])


def new_run_id(business_date: date) -> str:
    """A name for a run started by hand: the business date and when it began."""
    return f"{business_date}.{datetime.now(UTC).strftime('%Y%m%dT%H%M%S%f')}"


def safe_run_id(run_id: str) -> str:
    """The run id as a folder name: Airflow and people use characters that a folder cannot have.

    >>> safe_run_id("manual__2026-01-05T06:00:00+00:00")
    'manual__2026-01-05T06_00_00_00_00'
    """
    return re.sub(r"[^A-Za-z0-9._-]+", "_", run_id)
