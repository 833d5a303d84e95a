"""Planted faults in the last day's deliveries: bad rows in the ledger, and an event file that broke off on the way."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lakehouse.contracts import Feed, load_feeds
from simulator.deliveries import Deliveries
from simulator.draws import Draws

Fault = dict[str, str | int | bool | None]  # a row of the list of planted faults
_RATE, _AT_LEAST = 0.005, 5
_BAD_ROWS, _BROKEN_OFF = "transactions", "app_events"
_SCHEMA = pa.schema(
    [
        ("feed", pa.string()),
        ("period", pa.string()),
        ("file", pa.string()),
        ("row", pa.int64()),
        ("column_name", pa.string()),
        ("reason", pa.string()),
        ("whole_file", pa.bool_()),
    ]
)

# Column, what becomes of its text, and the reason that a reader should find.
_KINDS: tuple[tuple[str, Callable[[str], str], str], ...] = (
    ("business_date", lambda text: text[:5] + "13-45", "invalid_type"),
    ("account_no", lambda _: "", "missing_value"),
    ("direction", lambda _: "X", "not_allowed"),
    ("amount", lambda text: "-" + text, "out_of_range"),
    ("amount", lambda text: text.replace(".", ",") + "O", "invalid_type"),
)


def plant(deliveries: Deliveries, draws: Draws, path: Path) -> int:
    """Spoil the last day's files, and list what was done in ``path``; number of faults.

    The manifest's row count is that of the file; its control sums are those of the amounts that can still be read.
    The broken file's manifest describes the whole file.
    """
    feed = load_feeds()[_BAD_ROWS]
    planted = _bad_rows(deliveries, draws, feed) + _broken_off(deliveries)
    pq.write_table(pa.Table.from_pylist(planted, schema=_SCHEMA), path)
    return len(planted)


def _bad_rows(deliveries: Deliveries, draws: Draws, feed: Feed) -> list[Fault]:
    period, file = deliveries.last(feed.name)
    header, *rows = file.path.read_text(feed.encoding).splitlines()
    names = header.split(feed.delimiter)
    count = min(max(_AT_LEAST, round(_RATE * len(rows))), len(rows))
    chosen = np.argsort(draws.bits("bad row", np.arange(len(rows))))[:count].tolist()
    planted: list[Fault] = []

    def note(position: int, column: str | None, reason: str) -> None:
        line = {"row": position + 2, "column_name": column, "reason": reason, "whole_file": False}
        planted.append({"feed": feed.name, "period": period, "file": file.path.name, **line})

    *edited, copied = chosen
    for nth, position in enumerate(edited):
        fields = rows[position].split(feed.delimiter)
        if nth % (len(_KINDS) + 1) == len(_KINDS):
            del fields[-1]
            note(position, None, "wrong_column_count")
        else:
            column, spoil, reason = _KINDS[nth % (len(_KINDS) + 1)]
            fields[names.index(column)] = spoil(fields[names.index(column)])
            note(position, column, reason)
        rows[position] = feed.delimiter.join(fields)
    rows.append(rows[copied])
    note(len(rows) - 1, feed.key[0], "duplicate_key")
    deliveries.replace(feed.name, "\n".join([header, *rows, ""]).encode(feed.encoding), len(rows), _sums(feed, rows))
    return planted


def _sums(feed: Feed, rows: list[str]) -> dict[str, int]:
    """Control sums in cents of the rows with the right number of fields, as far as they can be read."""
    names = [column.name for column in feed.columns]
    fields = [row.split(feed.delimiter) for row in rows]
    whole = [values for values in fields if len(values) == len(names)]
    return {column: sum(_cents(values[names.index(column)]) for values in whole) for column in feed.control_sums}


def _cents(text: str) -> int:
    digits = text.replace(".", "", 1)
    return int(digits) if digits.removeprefix("-").isdigit() else 0


def _broken_off(deliveries: Deliveries) -> list[Fault]:
    period, file = deliveries.last(_BROKEN_OFF)
    content = file.path.read_bytes()
    file.path.write_bytes(content[: len(content) * 3 // 5])
    line = {"row": None, "column_name": None, "reason": "truncated", "whole_file": True}
    return [{"feed": _BROKEN_OFF, "period": period, "file": file.path.name, **line}]
