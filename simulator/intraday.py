"""A live source: the postings and wallet payments of one business date, at a given pace, as files or to a broker."""

import gzip
import json
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb

from lakehouse.contracts import Feed, load_feeds
from lakehouse.intraday.brokers import Broker
from lakehouse.lake import appearing
from lakehouse.lake.running import part

KEYS = {"transactions": "txn_id", "wallet_payments": "payment_id"}
TIMES = {"transactions": "txn_at", "wallet_payments": "paid_at"}

Row = dict[str, object]
Event = tuple[str, Row]  # feed, row
Send = Callable[[str, str, list[str]], None]  # feed, name of the batch, its events as JSON


def to_landing(landing: Path) -> Send:
    """Events as files ``landing/intraday/<feed>/<name>.jsonl.gz``."""

    def send(feed: str, name: str, texts: list[str]) -> None:
        with appearing(landing / "intraday" / feed / f"{name}.jsonl.gz") as temporary:
            temporary.write_bytes(gzip.compress("\n".join(texts).encode() + b"\n", 1))

    return send


def to_broker(broker: Broker) -> Send:
    """Events as messages of the broker."""

    def send(feed: str, _: str, texts: list[str]) -> None:
        broker.send(feed, texts)

    return send


def replay(
    source: Path, day: date, send: Send, rate: float, seconds: float, copies: int = 1, hours: range = range(24)
) -> dict[str, int]:
    """Send the events in their order, each at its moment.

    Parameters
    ----------
    source : Path
        Landing folder with the daily files of ``day``.
    rate : float
        Events a second, over both feeds; 0: no pause.
    seconds : float
        Of events in a micro-batch.
    copies : int
        How often the day is sent; each copy after the first has other numbers.
    hours : range
        Of the day, UTC, whose events are sent.

    Returns
    -------
    dict
        Events sent, by feed.
    """
    events = [event for event in _events(source, day) if int(str(event[1][TIMES[event[0]]])[11:13]) in hours]
    size = max(1, round(rate * seconds)) if rate else 5_000
    sent = dict.fromkeys(KEYS, 0)
    began, count = time.monotonic(), 0
    stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
    for copy in range(copies):
        for start in range(0, len(events), size):
            batch = events[start : start + size]
            part("events", count, copies * len(events))
            if rate:
                time.sleep(max(0.0, (count + len(batch)) / rate - (time.monotonic() - began)))
            for feed, texts in _texts(batch, copy, spread=seconds if rate else 0.0).items():
                send(feed, f"{stamp}-{count:012}", texts)
            count += len(batch)
            for feed, _ in batch:
                sent[feed] += 1
    return sent


def _events(source: Path, day: date) -> list[Event]:
    """(feed, row) of the day, by time; rows of a file that have too many or too few fields are no events."""
    events = []
    for name, feed in load_feeds().items():
        if name not in KEYS:
            continue
        suffix, read = ("dat", _delimited) if feed.format == "delimited" else (feed.format, _json_lines)
        for path in sorted((source / name).glob(f"{name}_{day}_v*.{suffix}")):
            events += [(name, row) for row in read(path, feed)]
    return sorted(events, key=lambda event: (event[1][TIMES[event[0]]], event[1][KEYS[event[0]]]))


def _json_lines(path: Path, _feed: Feed) -> list[Row]:
    with gzip.open(path, "rt") as lines:
        return [json.loads(line) for line in lines]


def _delimited(path: Path, feed: Feed) -> list[Row]:
    texts = {column.name: "varchar" for column in feed.columns}
    options = f"delim = '{feed.delimiter}', header = true, columns = {texts}, ignore_errors = true"
    read = f"select * from read_csv('{path}', {options})"
    with duckdb.connect() as con:
        rows = con.sql(read).to_arrow_table()
    numbers = {column.name for column in feed.columns if column.type.startswith("decimal")}
    return [
        {name: _number(value) if name in numbers else value for name, value in row.items() if value is not None}
        for row in rows.to_pylist()
    ]


def _number(text: str) -> float | str:
    """A number as JSON has it; a text that is none stays, for the loop to refuse."""
    try:
        return float(text)
    except ValueError:
        return text


def _texts(batch: list[Event], copy: int, spread: float) -> dict[str, list[str]]:
    """The events by feed, as JSON; they happened evenly over the ``spread`` seconds before now."""
    now = time.time()
    lines: dict[str, list[str]] = {}
    for place, (feed, row) in enumerate(batch, 1):
        moment = datetime.fromtimestamp(now - spread * (1 - place / len(batch)), UTC)
        event = row | {"event_at": f"{moment:%Y-%m-%d %H:%M:%S}"}
        if copy:
            event[KEYS[feed]] = f"{row[KEYS[feed]]}-{copy}"
        lines.setdefault(feed, []).append(json.dumps(event, ensure_ascii=False))
    return lines
