"""Rows that ingestion refused and that are about a customer: they are in no table, but in the lake's quarantine."""

import csv
import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from lakehouse.contracts import Feed
from lakehouse.warehouse.provenance import ROOTS, Way, ways


@dataclass(frozen=True)
class RefusedRow:
    """One row in quarantine."""

    feed: str
    file: str
    line: int
    reason: str
    text: str | None  # as it came; None: it may be another's, and only names the customer


def refused_of(lake: Path, parties: Collection[str], numbers: Mapping[str, Collection[str]]) -> Iterator[RefusedRow]:
    """The refused rows that are about a customer, and the places of those that name one somewhere else.

    Parameters
    ----------
    parties : collection of str
        The keys of the customer's records.
    numbers : mapping
        Feed -> the values of its first key column in the customer's rows, in clear.
    """
    texts = {_written(text) for texts in numbers.values() for text in texts} - {""}
    named = re.compile("|".join(rf"(?<![0-9A-Za-z]){re.escape(text)}(?![0-9A-Za-z])" for text in texts) or r"(?!)")
    for way in ways():
        keys = {_written(key) for key in _keys(way, parties, numbers)}
        for row in _refused(lake, way.feed.name):
            text = row.text or ""
            found = _values(way.feed, text)
            if any(_written(found.get(column, "")) in keys for column in way.columns or way.feed.key[:1]):
                yield row
            elif named.search(text):
                yield RefusedRow(row.feed, row.file, row.line, row.reason, None)


def _keys(way: Way, parties: Collection[str], numbers: Mapping[str, Collection[str]]) -> Collection[str]:
    """What the columns of a way hold in the customer's rows."""
    if way.parent:
        return numbers.get(way.parent, ())
    if way.columns:
        return parties
    prefix = f"{ROOTS[way.feed.name]}:"
    return [party.removeprefix(prefix) for party in parties if party.startswith(prefix)]


def _refused(lake: Path, feed: str) -> Iterator[RefusedRow]:
    """Every refused row of a feed; a row with several faults once for each."""
    for path in sorted((lake / "quarantine" / feed).glob("*/[!.]*.parquet")):
        for row in pq.read_table(path, partitioning=None).to_pylist():
            yield RefusedRow(feed, row["file"], row["row"], f"{row['reason']} {row['column_name'] or ''}".strip(),
                             row["raw_text"])  # fmt: skip
    for path in sorted((lake / "quarantine" / "intraday" / feed).glob("[!.]*.parquet")):
        for row in pq.read_table(path, partitioning=None).to_pylist():
            yield RefusedRow(feed, row["_file"], row["_row"], row["problem"], row["_text"])


def _values(feed: Feed, text: str) -> Mapping[str, str]:
    """Column -> text in a row as it came; nothing, where its fields may stand in the wrong places."""
    if text.startswith("{"):
        try:
            return {name: str(value) for name, value in json.loads(text).items()}
        except ValueError:
            return {}
    rows = list(csv.reader(text.splitlines(), delimiter=feed.delimiter or ","))
    names = [column.name for column in feed.columns]
    return dict(zip(names, rows[0], strict=True)) if len(rows) == 1 and len(rows[0]) == len(names) else {}


def _written(number: str) -> str:
    """A number without what people put between its parts."""
    return re.sub(r"[\s-]", "", number)
