"""Who has seen whom, who was refused, and what people handed in: a journal in the lake that is only appended to.

Below ``page_views/<business date that was shown>/`` each server has a file of its own, a JSON line per event; a line is
on the disk before the page is shown, and linked to the line before it (`linked`). A run gathers the lines of a date in
``<number of lines>.parquet``: the largest number holds all of them.
"""

import json
import os
import threading
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal, TypedDict, cast
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from lakehouse.catalog import PAGE_VIEWS
from lakehouse.lake.files import appearing
from lakehouse.lake.linked import beginning, linked

Kind = Literal["view", "refusal", "write", "sign_in", "sign_out"]


class Event(TypedDict):
    """One event, about one customer or none; dates and times are text."""

    event_id: str
    happened_at: str  # UTC
    business_date: str  # that was shown
    publish_id: int
    user_name: str | None
    role_name: str | None
    event_kind: Kind
    page: str
    customer_key: str | None
    detail: str | None
    delivered: dict[str, str] | None  # of a write: the row that goes into a feed


class Journal:
    """The file of one server; made with its first event of a business date."""

    def __init__(self, lake: Path) -> None:
        self._lake = lake
        self._name = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid4().hex[:12]}.jsonl"
        self._lock = threading.Lock()
        self._last: dict[Path, str] = {}  # hash of the last line, by folder

    def append(self, events: Sequence[Event]) -> None:
        """Keep events of one business date; they are on the disk when this returns."""
        if not events:
            return
        folder = events_folder(self._lake, date.fromisoformat(events[0]["business_date"]))
        folder.mkdir(parents=True, exist_ok=True)
        with self._lock:
            previous, lines = self._last.get(folder, beginning(self._name)), []
            for event in events:
                line, previous = linked(event, previous)
                lines.append(line)
            descriptor = os.open(folder / self._name, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(descriptor, "".join(lines).encode())
                os.fsync(descriptor)
                self._last[folder] = previous
            finally:
                os.close(descriptor)


def events_folder(lake: Path, day: date) -> Path:
    """Where the events of people who saw a business date lie."""
    return lake / "page_views" / str(day)


def read_events(lake: Path, day: date) -> list[Event]:
    """The events of a shown business date, as they happened.

    A server that was killed may leave half of a line, of a page that was never shown.
    """
    lines = (line for file in _files(lake, day) for line in file.read_text("utf-8").splitlines(keepends=True))
    events = [_event(json.loads(line)) for line in lines if line.endswith("\n")]
    return sorted(events, key=lambda event: event["happened_at"])


def _event(line: dict[str, Any]) -> Event:
    """An event without the hashes of its line."""
    return cast("Event", {name: line[name] for name in Event.__annotations__})


def gather(lake: Path, first: date, last: date) -> list[Path]:
    """The events of people who saw the dates, as Parquet files, one per date; written where lines have come since."""
    days = (day for day in days_of_events(lake, last) if day >= first)
    return [path for day in days if (path := _gathered(lake, day))]


def _gathered(lake: Path, day: date) -> Path | None:
    size = sum(file.stat().st_size for file in _files(lake, day))
    if not size:
        return None
    path = events_folder(lake, day) / f"{size:012}.parquet"
    if not path.exists():
        with appearing(path) as temporary:
            pq.write_table(_table(read_events(lake, day)), temporary, compression="zstd")
    return path


def _table(events: Sequence[Event]) -> pa.Table:
    rows = [
        dict(event)
        | {
            "happened_at": datetime.fromisoformat(event["happened_at"]),
            "business_date": date.fromisoformat(event["business_date"]),
        }
        for event in events
    ]
    return pa.Table.from_pylist(rows, PAGE_VIEWS.arrow_schema)


def _files(lake: Path, day: date) -> list[Path]:
    return sorted(events_folder(lake, day).glob("*.jsonl"))


def days_of_events(lake: Path, last: date) -> list[date]:
    """The shown business dates up to one of which there are events, in order."""
    days = (date.fromisoformat(folder.name) for folder in sorted((lake / "page_views").glob("[0-9]*")))
    return [day for day in days if day <= last]
