"""What became of actions: written down at once, and handed in as a delivery of the feed ``action_outcomes``."""

import threading
from collections.abc import Mapping
from datetime import date

from c360.api.sight import WORKLIST
from c360.api.snapshot import Snapshot
from c360.app.handing_in import HandedIn, Row, Written, written_down
from lakehouse.settings import Settings

FEED = "action_outcomes"
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


class WrittenDown:
    """What people who saw the published date wrote down, by action; the last word counts."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._kept: tuple[date, dict[str, Row]] = (date.min, {})
        self._lock = threading.Lock()

    def of(self, published: date) -> Mapping[str, Row]:
        """List and customer, with a colon between them -> the row; read from the journal once."""
        with self._lock:
            if self._kept[0] != published:
                self._kept = (published, {_name(row): row for row in written_down(self._settings, FEED, published)})
            return self._kept[1]

    def add(self, published: date, row: Row) -> None:
        """One more, which the journal has."""
        self.of(published)
        with self._lock:
            self._kept[1][_name(row)] = row


def _name(row: Row) -> str:
    return f"{row['action_kind']}:{row['party_key']}"


def _not_done(_: Settings, shown: Snapshot, day: date, written: Written) -> list[dict[str, str]]:
    """Of the lists that were worked, every action, as not done.

    Without it, and without the control group, nobody could say what the actions are worth.
    """
    reported = {(row["action_kind"], row["party_key"]) for row in written.values()}
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


HANDED_IN = HandedIn(FEED, "outcome_id", _not_done)
