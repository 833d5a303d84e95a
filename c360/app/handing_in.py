"""What people write down goes in as deliveries: a day's, with all that was handed in for the day before it.

A delivery is one file per day, and its versions replace each other. So what is written down goes in with whatever was
handed in for the day, whoever sent that, as the next version; at most one every few minutes.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from c360.api.following import Current
from c360.api.snapshot import Snapshot
from lakehouse.contracts import load_deployment
from lakehouse.errors import Stop
from lakehouse.ingestion import additions
from lakehouse.lake.page_views import days_of_events, read_events
from lakehouse.settings import Settings

SECONDS = 300.0  # between two versions of a day's delivery: each stays in the lake
Row = additions.Row
Written = Mapping[str, Row]  # by the key of the feed
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class HandedIn:
    """A feed of what people write down.

    ``rest`` gives what goes in beside it, for the working day: rows that only the publish which people saw can give.
    """

    feed: str
    key: str  # column that tells its rows apart
    rest: Callable[[Settings, Snapshot, date, Written], Iterable[Row]]

    def hand_in(self, settings: Settings, shown: Snapshot, published: date) -> int:
        """Land what people who saw a date wrote down and is not handed in yet, as the day's next version.

        Returns
        -------
        int
            Rows that the delivery has beyond the version before it.
        """
        with additions.adding(settings, self.feed):
            day = working_day(settings, published)
            before = self._by_key(additions.handed_in(settings, self.feed).get(str(day), []))
            ours = self._by_key(written_down(settings, self.feed, published))
            if ours.keys() <= before.keys():
                return 0
            rest = {}
            if published == shown.business_date:  # else its tables are gone; the rest went in with the first row
                rest = self._by_key(self.rest(settings, shown, day, ours))
            rows = before | rest | ours
            additions.hand_in(settings, self.feed, day, [rows[name] for name in sorted(rows)])
            return len(rows) - len(before)

    def _by_key(self, rows: Iterable[Row]) -> dict[str, Row]:
        return {row[self.key]: row for row in rows}


def working_day(settings: Settings, published: date) -> date:
    """The day on which people work with what is published: the next one on which the bank delivers."""
    return load_deployment(settings.deployment).next_delivery_day(published)


def written_down(settings: Settings, feed: str, published: date) -> list[Row]:
    """What people who saw a date wrote down for a feed, oldest first."""
    events = (event for event in read_events(settings.lake, published) if event["page"] == feed)
    return [row for event in events if (row := event["delivered"])]


class HandingIn:
    """Hands in what was written down for a feed, now and then."""

    def __init__(self, settings: Settings, current: Current, feed: HandedIn, seconds: float = SECONDS) -> None:
        self._settings, self._current, self._feed, self._seconds = settings, current, feed, seconds
        self._asked, self._stopping = threading.Event(), threading.Event()
        self._asked.set()  # what the server before this one left
        self._thread = threading.Thread(target=self._hand_in_now_and_then, name="handing in", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Hand in what is left, and end."""
        self._stopping.set()
        self._asked.set()
        self._thread.join()

    def ask(self) -> None:
        """Something was written down."""
        self._asked.set()

    def _hand_in_now_and_then(self) -> None:
        while not self._stopping.is_set():
            self._asked.wait()
            if self._hand_in():
                self._stopping.wait(self._seconds)
        if self._asked.is_set():
            self._hand_in()

    def _hand_in(self) -> bool:
        """Whether there was something to hand in; what failed is asked for again."""
        self._asked.clear()
        shown = self._current.snapshot
        try:
            days = days_of_events(self._settings.lake, shown.business_date)[-2:]  # a publish may have come since
            return sum(self._feed.hand_in(self._settings, shown, published) for published in days) > 0
        except (Stop, OSError):
            log.exception("reports are written down, but were not handed in: it is tried again")
            self._asked.set()
            return True
