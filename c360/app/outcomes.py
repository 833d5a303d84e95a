"""What became of actions: written down at once, and handed in as a delivery of the feed ``action_outcomes``.

A delivery is one file per day, and its versions replace each other. So what is written down goes in with all that was
handed in for the day before it, whoever sent that, as the next version; at most one every few minutes.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from pathlib import Path

from c360.api.following import Current
from c360.api.sight import WORKLIST
from c360.api.snapshot import Snapshot
from lakehouse.contracts import load_deployment
from lakehouse.errors import Stop
from lakehouse.ingestion import additions
from lakehouse.lake.page_views import days_of_events, read_events
from lakehouse.settings import Settings

FEED = "action_outcomes"
SECONDS = 300.0  # between two versions of a day's delivery: each stays in the lake
RESULTS = {  # button -> outcome of the contract
    "done": "reached",
    "no_answer": "not_reached",
    "promise": "promised",
    "refused": "refused",
    "opted_out": "opted_out",
}
_CHANNELS = {"phone": "phone", "branch": "visit"}  # anything else is a message
_UNIT = ("source", "branch_code", "owner", "rm_id")
_LISTED = ("action_id", "customer_key", "business_date", "arm", "channel", *_UNIT)
Row = additions.Row
HandIn = Callable[[Settings, Snapshot, date], int]  # of a feed: lands what was written down; new rows
log = logging.getLogger(__name__)


def working_day(settings: Settings, published: date) -> date:
    """The day on which people work with what is published: the next one on which the bank delivers."""
    return load_deployment(settings.deployment).next_delivery_day(published)


def outcome_row(action: Mapping[str, object], result: str, event_id: str, day: date, by: str) -> dict[str, str]:
    """The row of the feed for one action that was handed out.

    Parameters
    ----------
    action
        Row of ``actions.worklist``.
    result : str
        One of `RESULTS`.
    """
    return _row(action, f"workbench:{event_id}", day) | {
        "is_done": "true",
        "outcome": RESULTS[result],
        "channel": _CHANNELS.get(str(action["channel"]), "message"),
        "reported_by": by,
    }


class HandingIn:
    """Hands in what was written down for a feed, now and then."""

    def __init__(self, settings: Settings, current: Current, feed: HandIn, seconds: float = SECONDS) -> None:
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
            return sum(self._feed(self._settings, shown, published) for published in days) > 0
        except (Stop, OSError):
            log.exception("reports are written down, but were not handed in: it is tried again")
            self._asked.set()
            return True


class WrittenDown:
    """What people who saw the published date wrote down, by action; the last word counts."""

    def __init__(self, lake: Path) -> None:
        self._lake = lake
        self._kept: tuple[date, dict[str, Row]] = (date.min, {})
        self._lock = threading.Lock()

    def of(self, published: date) -> Mapping[str, Row]:
        """List and customer, with a colon between them -> the row; read from the journal once."""
        with self._lock:
            if self._kept[0] != published:
                events = (event for event in read_events(self._lake, published) if event["page"] == FEED)
                self._kept = (published, {_name(row): row for event in events if (row := event["delivered"])})
            return self._kept[1]

    def add(self, published: date, row: Row) -> None:
        """One more, which the journal has."""
        self.of(published)
        with self._lock:
            self._kept[1][_name(row)] = row


def _name(row: Row) -> str:
    return f"{row['action_kind']}:{row['party_key']}"


def hand_in(settings: Settings, shown: Snapshot, published: date) -> int:
    """Land what people who saw a date wrote down and is not handed in yet, as the next version of the day's delivery.

    With it goes what was not done of every list of which something was: without it, and without the control group,
    nobody could say what the actions are worth.

    Returns
    -------
    int
        Rows that the delivery has beyond the version before it.
    """
    with additions.adding(settings, FEED):
        written = [event["delivered"] for event in read_events(settings.lake, published) if event["page"] == FEED]
        day = working_day(settings, published)
        before = {row["outcome_id"]: row for row in additions.handed_in(settings, FEED).get(str(day), [])}
        ours = {row["outcome_id"]: row for row in written if row}
        if ours.keys() <= before.keys():
            return 0
        rest = {}
        if published == shown.business_date:  # else its lists are gone, and went in with the first outcome
            rest = {row["outcome_id"]: row for row in _not_done(shown, day, ours.values())}
        rows = before | rest | ours
        additions.hand_in(settings, FEED, day, [rows[name] for name in sorted(rows)])
        return len(rows) - len(before)


def _not_done(shown: Snapshot, day: date, written: Iterable[Row]) -> list[dict[str, str]]:
    """Of the lists that were worked, every action, as not done."""
    reported = {(row["action_kind"], row["party_key"]) for row in written}
    listed = shown.rows(WORKLIST, {}, _LISTED)
    mine = (one for one in listed if one["arm"] is not None and one["channel"] != "internal")
    lists: dict[tuple, list[Mapping[str, object]]] = {}
    for one in mine:
        lists.setdefault(tuple(one[name] for name in _UNIT), []).append(one)
    worked = [
        actions
        for actions in lists.values()
        if any((action["source"], action["customer_key"]) in reported for action in actions)
    ]
    return [
        _row(action, f"listed:{action['action_id']}", day) | {"is_done": "false"}
        for actions in worked
        for action in actions
        if (action["source"], action["customer_key"]) not in reported
    ]


def _row(action: Mapping[str, object], outcome_id: str, day: date) -> dict[str, str]:
    return {
        "outcome_id": outcome_id,
        "business_date": str(day),
        "action_kind": str(action["source"]),
        "action_date": str(action["business_date"]),
        "party_key": str(action["customer_key"]),
        "arm": str(action["arm"]),
    }
