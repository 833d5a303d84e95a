"""What people hand in during a day: rows that are added to a day's delivery, as its next version.

A delivery holds a whole day, and its versions replace each other; so each has the rows of the one before it, too.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.parquet as pq
from filelock import FileLock

from lakehouse.contracts import Feed, load_feeds
from lakehouse.ingestion.landing import Delivery, deliveries
from lakehouse.ingestion.sending import land
from lakehouse.lake import Outcome, read_outcomes
from lakehouse.settings import Settings

Row = Mapping[str, str]


def adding(settings: Settings, feed: str) -> FileLock:
    """Held while somebody reads what was handed in and adds to it: two at once would lose what one of them adds."""
    settings.lake.mkdir(parents=True, exist_ok=True)
    return FileLock(settings.lake / f".{feed}.adding.lock")


def handed_in(settings: Settings, feed: str, after: date | None = None) -> dict[str, list[Row]]:
    """Period -> the rows of its newest version, in the landing folder or in the lake, as text.

    Parameters
    ----------
    after
        Of later periods alone: the files of the others are not read.
    """
    contract = load_feeds()[feed]
    landed = {one.period.text: one for one in deliveries(settings.landing, feed) if one.declared_hash}
    taken = {one.period: one for one in read_outcomes(settings.lake, feed) if one.is_loaded}
    return {
        period: _rows(settings, contract, landed.get(period), taken.get(period))
        for period in sorted({*landed, *taken})
        if after is None or period > str(after)
    }


def state_of(settings: Settings, feed: str) -> tuple[tuple[str, int], ...]:
    """Of every manifest and record by which `handed_in` goes, its name and when it was written: a listing alone.

    As long as it stays the same, so does what was handed in.
    """
    places = [settings.landing / feed, *(settings.lake / kind / feed for kind in ("deliveries", "retractions"))]
    paths = [path for place in places for path in place.rglob("[!.]*.json")]
    return tuple(sorted((str(path), path.stat().st_mtime_ns) for path in paths))


def add(settings: Settings, feed: str, day: date, rows: Sequence[Mapping[str, object]]) -> None:
    """Land the day's delivery of a delimited feed again, with more rows; the caller holds `adding`.

    Raises
    ------
    Stop
        If the delivery would be rejected.
    """
    hand_in(settings, feed, day, [*handed_in(settings, feed).get(str(day), []), *rows])


def hand_in(settings: Settings, feed: str, day: date, rows: Sequence[Mapping[str, object]]) -> None:
    """Land exactly these rows as the day's next version of a delimited feed; the caller holds `adding`.

    Raises
    ------
    Stop
        If the delivery would be rejected.
    """
    contract = load_feeds()[feed]
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"{feed}.dat"
        with path.open("w", encoding=contract.encoding, newline="") as file:
            names = [column.name for column in contract.columns]
            writer = csv.DictWriter(file, names, restval="", delimiter=contract.delimiter, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        land(settings, path, feed, str(day))


def _rows(settings: Settings, feed: Feed, landed: Delivery | None, taken: Outcome | None) -> list[Row]:
    if landed and (taken is None or landed.version > taken.version):
        files = [landed.path.parent / file.name for file in landed.readable_manifest.files]
        return [row for file in files for row in _read(feed, file)]
    rows = pq.read_table(taken.rows_path(settings.lake), partitioning=None).to_pylist() if taken else []
    return [{column.name: _text(row[column.name]) for column in feed.columns} for row in rows]


def _read(feed: Feed, file: Path) -> Iterable[Row]:
    with file.open(encoding=feed.encoding, newline="") as lines:
        return list(csv.DictReader(lines, delimiter=feed.delimiter))


def _text(value: object) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
