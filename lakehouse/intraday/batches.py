"""Micro-batches: landed files of events become immutable lake files, with tokens in place of personal data.

A sender writes ``landing/intraday/<feed>/<name>.jsonl.gz`` under another name, one that begins with a dot, and renames
it. Its rows have the columns of the feed's contract, and ``event_at``: when the source emitted the event, UTC.
"""

import gzip
import logging
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path

import duckdb

from lakehouse.contracts import ACCOUNT_NUMBERS, Column, Feed, load_feeds
from lakehouse.ingestion import framing, rules
from lakehouse.ingestion.erased import Erased
from lakehouse.ingestion.landing import Landed, Period
from lakehouse.lake import IntradayFile, appearing, current_files
from lakehouse.lake.erasures import ERASED
from lakehouse.settings import Settings
from lakehouse.sql import identifier, literal, only_row

FEEDS = ("transactions", "wallet_payments")
MOST_BATCHES = 200  # that become one lake file: a backlog is worked off in steps
MERGED_FILES = 100  # of one date, from which on small lake files are merged
_EVENT_AT = Column("event_at", "timestamp", "When the source emitted it, UTC", True, False, False, None, (), None, None)
_ANY_DAY = Period("9999-12-31")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Taken:
    """What became of the micro-batches of one feed in one cycle."""

    feed: str
    batch_count: int
    event_count: int
    refused_count: int
    erased_count: int  # of people who were erased: dropped
    path: Path | None  # the lake file; None if no event was good


@cache
def event_feed(name: str) -> Feed:
    """The contract of a feed's events: that of its deliveries, as JSON lines, and the time of the event."""
    feed = load_feeds()[name]
    return replace(feed, columns=(*feed.columns, _EVENT_AT), format="jsonl.gz", encoding="UTF-8", initial_lag_days=0)


def event_columns(name: str) -> tuple[tuple[str, str], ...]:
    """(name, SQL type) of the columns of a feed's intraday lake files; none is personal."""
    feed = event_feed(name)
    private = {column.name for column in feed.columns if column.is_pii}
    return tuple(column for column in feed.lake_columns if column[0] not in private)


def waiting(landing: Path, feed: str) -> list[Path]:
    """Micro-batches that have landed, in the order of their names."""
    folder = landing / "intraday" / feed
    return sorted(path for path in folder.glob("[!.]*.jsonl.gz") if path.is_file()) if folder.exists() else []


def take(settings: Settings, con: duckdb.DuckDBPyConnection, feed: str, number: int, moment: datetime) -> Taken:
    """Write what is waiting to the lake, as take ``number`` of the feed, and remove it from the landing folder.

    Events that break the contract, and files that cannot be read, go to ``quarantine/intraday``. A take that was killed
    is made again: its events come twice then, and count once.

    Parameters
    ----------
    moment : datetime
        Now, UTC: an event of more than a day later is none, and no event is of a date after the one on which it
        happened, wherever the bank is.
    """
    batches = waiting(settings.landing, feed)[:MOST_BATCHES]
    quarantine = settings.lake / "quarantine" / "intraday" / feed
    whole = [path for path in batches if _is_whole(path, quarantine)]
    if not whole:
        return Taken(feed, len(batches), 0, 0, 0, None)
    contract = event_feed(feed)
    damages: list[str] = []
    con.register(
        "incoming", framing.framed([Landed(path, 0, "", (0, 0), 0, 0, True) for path in whole], contract, damages)
    )
    problem = f"coalesce({rules.problem(contract, _ANY_DAY, is_framed=True)}, {_problem_of_time(moment)})"
    rows = f"select *, {problem} as problem from ({rules.fields(contract, 'incoming')})"
    con.execute(f"create or replace temp table judged as {rows}")
    con.unregister("incoming")
    erased = _without_erased(settings, con, contract)
    events, refused, day = con.execute(
        "select count(*) filter (where problem is null), count(problem), "
        "max(case when problem is null then cast(business_date as date) end) from judged"
    ).fetchall()[0]
    if refused:
        with appearing(_path_in(quarantine, f"{whole[0].name}.parquet")) as path:
            _copy(con, "select _file, _row, problem, _text from judged where problem is not null", path)
    target = None
    if events:
        target = _folder(settings.lake, feed, day) / f"{number:012}-{number:012}.parquet"
        columns = ", ".join(identifier(name) for name, _ in event_columns(feed))
        good = f"select {rules.lake_select(contract, cutoff=None)} from judged where problem is null order by rowid"
        with appearing(target) as path:
            _copy(con, f"select {columns} from ({good})", path)
    for path in whole:
        if damage := next((damage for damage in damages if damage.startswith(f"{path.name}: ")), None):
            log.warning("%s: moved to %s, as what follows there could not be taken", damage, quarantine)
            _set_aside(path, quarantine)
        else:
            path.unlink()
    return Taken(feed, len(batches), events, refused, erased, target)


def _without_erased(settings: Settings, con: duckdb.DuckDBPyConnection, contract: Feed) -> int:
    """Drop events of people who were erased from the table ``judged``; returns how many.

    An event of somebody else that names an account of theirs stays without it; a bad one stays without its text.
    """
    if not (erased := Erased.of(con, settings)):
        return 0
    others = [
        column for column in contract.columns if column.name in ACCOUNT_NUMBERS and column.name not in contract.key
    ]
    dropped = only_row(con.execute(f"select count(*) from judged where {erased.is_about(contract)}"))[0]
    con.execute(f"delete from judged where {erased.is_about(contract)}")
    con.execute(
        f"update judged set _text = {literal(ERASED)} where problem is not null and {erased.is_named('judged')}"
    )
    for column in others:
        name = identifier(column.name)
        con.execute(f"update judged set {name} = null where {erased.is_listed('account_no', column)}")
    if dropped:
        log.warning("%s: %d events of people who were erased were dropped", contract.name, dropped)
    return dropped


def _problem_of_time(moment: datetime) -> str:
    """SQL: what is wrong with the times of an event that keeps the contract, as "reason column", or null."""
    happened, one_day = "try_cast(event_at as timestamp)", "interval 1 day"
    return (
        f"case when {happened} > timestamp '{moment:%Y-%m-%d %H:%M:%S}' + {one_day} then 'out_of_range event_at' "
        f"when try_cast(business_date as date) > cast({happened} + {one_day} as date) "
        "then 'outside_period business_date' end"
    )


def next_number(lake: Path, feed: str) -> int:
    """One more than the last take of the feed."""
    numbers = [IntradayFile.of(path).last for path in (lake / "intraday" / feed).glob("*/[!.]*.parquet")]
    return max(numbers, default=0) + 1


def merge(con: duckdb.DuckDBPyConnection, lake: Path, feed: str, day: date) -> None:
    """Merge the many small lake files of a date into one.

    Files that an earlier merge covers are removed now: a reader that had listed them has finished by now.
    """
    folder = _folder(lake, feed, day)
    files = [IntradayFile.of(path) for path in folder.glob("[!.]*.parquet")]
    current = current_files(files)
    if len(current) < MERGED_FILES:
        return
    for file in files:
        if file not in current:
            file.path.unlink()
    with appearing(folder / f"{current[0].first:012}-{current[-1].last:012}.parquet") as path:
        _copy(con, f"select * from {parquet(current)}", path)


def parquet(files: list[IntradayFile]) -> str:
    """SQL that reads the files, in the order of their takes."""
    paths = ", ".join(literal(str(file.path)) for file in files)
    return f"read_parquet([{paths}], hive_partitioning = false)"


def _folder(lake: Path, feed: str, day: date) -> Path:
    return lake / "intraday" / feed / f"business_date={day}"


def _is_whole(path: Path, quarantine: Path) -> bool:
    """Whether a micro-batch can be read to its end; if not, it is moved out of the way."""
    try:
        with gzip.open(path) as stream:
            size, most = 0, framing.most_unpacked(path)
            for block in _blocks(stream):
                size += len(block)
                if size > most:
                    raise EOFError(f"unpacks to more than {most >> 20} MB")
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        log.warning("%s: moved to %s: cannot be unpacked (%s): send the batch again", path, quarantine, error)
        _set_aside(path, quarantine)
        return False
    return True


def _set_aside(path: Path, quarantine: Path) -> None:
    quarantine.mkdir(parents=True, exist_ok=True)
    path.replace(_path_in(quarantine, path.name))


def _path_in(quarantine: Path, name: str) -> Path:
    """A path that no later file of this name takes."""
    return quarantine / f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{name}"


def _blocks(stream: gzip.GzipFile) -> Iterator[bytes]:
    while block := stream.read(1 << 20):
        yield block


def _copy(con: duckdb.DuckDBPyConnection, select: str, path: Path) -> None:
    con.execute(f"copy ({select}) to {literal(str(path))} (format parquet, compression zstd, compression_level 1)")
