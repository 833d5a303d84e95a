"""The loop: every few seconds it takes what has landed, adds it up, and shows it to readers."""

import logging
import time
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import duckdb
from filelock import FileLock, Timeout

from lakehouse import warehouse
from lakehouse.errors import Stop
from lakehouse.ingestion.loading import connection
from lakehouse.intraday import totals
from lakehouse.intraday.batches import FEEDS, Taken, merge, next_number, parquet, take, waiting
from lakehouse.intraday.brokers import Broker, BrokerAway, connect
from lakehouse.lake import IntradayFile, intraday_files
from lakehouse.settings import Settings
from lakehouse.warehouse.live import CYCLES, FLOWS

CYCLE_HISTORY = timedelta(days=1)
QUIET = timedelta(minutes=1)  # a loop without events shows at this interval that it is alive

log = logging.getLogger(__name__)


class LoopRuns(Stop):
    """Another intraday loop takes this lake's events."""


class NothingPublished(Stop):
    """The intraday loop continues a daily run, and there has been none."""


@dataclass
class Loop:
    """A loop at work: its totals, and where it is."""

    settings: Settings
    con: duckdb.DuckDBPyConnection
    numbers: dict[str, int]  # the next take of each feed
    cycle: int
    broker: Broker | None
    watermark: date = date.min  # the last date of the daily road
    publish_id: int = -1
    shown_at: datetime = datetime.min

    @classmethod
    def begin(cls, settings: Settings, con: duckdb.DuckDBPyConnection) -> "Loop":
        """Read what an earlier loop left in the lake and in the serving store."""
        totals.create_tables(con)
        con.register("rows", warehouse.query_serving(settings, "select * from ops.intraday_cycles"))
        con.execute("insert into intraday_cycles select *, 0 from rows")
        con.unregister("rows")
        (last,) = con.execute("select coalesce(max(cycle), 0) from intraday_cycles").fetchall()[0]
        numbers = {feed: next_number(settings.lake, feed) for feed in FEEDS}
        loop = cls(settings, con, numbers, last + 1, connect(settings) if settings.broker_url else None)
        loop.follow()
        for feed in FEEDS:
            files = intraday_files(settings.lake, feed, loop.watermark + timedelta(days=1))
            totals.add(con, feed, files, loop.watermark, loop.cycle)
        return loop

    def follow(self) -> bool:
        """Read what was published since the last cycle; True if there is something."""
        (published,) = warehouse.query_serving(
            self.settings,
            "select max(publish_id) as publish_id, max(case when schema_name = 'marts' then business_date end) as day "
            "from ops.publications",
        ).to_pylist()
        if published["publish_id"] == self.publish_id:
            return False
        self.publish_id, self.watermark = published["publish_id"], published["day"]
        totals.refresh(self.settings, self.con, self.watermark)
        return True

    def turn(self) -> None:
        """One cycle: take, add, show; then record how long the events were under way."""
        started = datetime.now(UTC).replace(tzinfo=None)
        afresh = self.follow() or self.shown_at == datetime.min
        taken, new, late = [], 0, 0
        for feed in FEEDS:
            self._land(feed)
            took = take(self.settings, self.con, feed, self.numbers[feed], started)
            taken.append(took)
            if took.path:
                self.numbers[feed] += 1
                added = totals.add(self.con, feed, [IntradayFile.of(took.path)], self.watermark, self.cycle)
                new, late = new + added[0], late + added[1]
                day = date.fromisoformat(took.path.parent.name.removeprefix("business_date="))
                merge(self.con, self.settings.lake, feed, day)
        if any(took.batch_count for took in taken) or afresh or started - self.shown_at > QUIET:
            totals.total(self.con)
            warehouse.show_live(self.settings, self.con, self.cycle, FLOWS, afresh)
            self._record(started, taken, new, late)
            warehouse.show_live(self.settings, self.con, self.cycle, (CYCLES,), afresh)
            self.cycle += 1

    def close(self) -> None:
        """End the connection to the broker."""
        if self.broker:
            self.broker.close()

    def _land(self, feed: str) -> None:
        """Bring the broker's events to the landing folder; one that does not answer holds up no file."""
        try:
            if self.broker:
                self.broker.land(feed)
        except BrokerAway as error:
            log.warning("broker, feed %s: %s: asked again in the next cycle", feed, error)

    def _record(self, started: datetime, taken: list[Taken], new: int, late: int) -> None:
        """Add the cycle to the table of cycles."""
        self.shown_at = datetime.now(UTC).replace(tzinfo=None)
        files = [IntradayFile.of(took.path) for took in taken if took.path]
        delays: tuple[float | None, ...] = (None, None, None)
        if files:
            times = " union all ".join(f"select event_at from {parquet([file])}" for file in files)
            delays = self.con.execute(
                "select quantile_cont(delay, 0.5), quantile_cont(delay, 0.99), max(delay) "
                f"from (select epoch(cast($1 as timestamp)) - epoch(event_at) as delay from ({times}))",
                [self.shown_at],
            ).fetchall()[0]
        events = sum(took.event_count for took in taken)
        self.con.execute(
            "insert into intraday_cycles values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
            [
                self.cycle,
                started,
                self.shown_at,
                sum(took.batch_count for took in taken),
                events,
                new,
                events - new - late,
                late,
                sum(took.refused_count + took.erased_count for took in taken),
                sum(len(waiting(self.settings.landing, feed)) for feed in FEEDS),
                *delays,
                self.cycle,
            ],
        )
        self.con.execute("delete from intraday_cycles where started_at < $1", [started - CYCLE_HISTORY])


def run(
    settings: Settings,
    every: float,
    seconds: float | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> int:
    """Take in micro-batches until ``seconds`` have passed, or for ever; returns the number of cycles.

    Parameters
    ----------
    every : float
        Seconds from the start of a cycle to that of the next.
    seconds : float, optional
        0 makes a single cycle.

    Raises
    ------
    LoopRuns
        If another loop works on this lake.
    NothingPublished
        If no business date has been published yet.
    """
    if warehouse.published_date(settings) is None:
        raise NothingPublished("no business date is published yet: run one first (c360 run), then start the loop")
    began, count = time.monotonic(), 0
    with alone(settings), connection(settings) as con, closing(Loop.begin(settings, con)) as loop:
        while True:
            cycle_began = time.monotonic()
            loop.turn()
            count += 1
            if seconds is not None and time.monotonic() - began >= seconds:
                progress(f"{count} cycles")
                return count
            time.sleep(max(0.0, every - (time.monotonic() - cycle_began)))


@contextmanager
def alone(settings: Settings) -> Generator[None]:
    """Hold this lake's intraday lock, which the operating system releases when the process ends.

    Raises
    ------
    LoopRuns
        If another process holds it.
    """
    folder = settings.lake / "intraday"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / ".lock"
    try:
        lock = FileLock(path, fallback_to_soft=False).acquire(blocking=False)
    except Timeout as error:
        raise LoopRuns(f"another intraday loop holds {path}: stop it first") from error
    with lock:
        yield
