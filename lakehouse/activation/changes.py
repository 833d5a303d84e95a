"""What a target lacks: the difference between a table's rows and what the target was last sent, row by row.

The comparison knows nothing of files or targets: mappings in, changes out.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from lakehouse.lake.activations import IN_DOUBT

ADDED, UPDATED, DELETED = "added", "updated", "deleted"
Reason = Literal["in doubt", "refused", "absent"]


@dataclass(frozen=True)
class Row:
    """A row as it is sent: canonical JSON of its columns, and the hash of that."""

    content: str
    hash: str

    @classmethod
    def of(cls, content: str) -> "Row":
        return cls(content, hashlib.sha256(content.encode()).hexdigest()[:32])


@dataclass(frozen=True)
class Change:
    """One change of one row, for one target.

    ``added`` and ``updated`` carry the whole row; a target treats both alike. The same change has the same ``event_id``
    however often it is sent: by it a target takes it once.
    """

    key: str  # canonical JSON of the key columns
    change: str
    publish_id: int  # that first showed it; of two changes of a key the later one has the higher
    row: Row | None  # None: deleted

    @property
    def row_hash(self) -> str | None:
        return None if self.row is None else self.row.hash

    def event_id(self, activation: str, table: str) -> str:
        """Names the change: by publish, table, key and the row's hash."""
        named = [activation, table, self.key, self.change, self.publish_id, self.row_hash]
        return hashlib.sha256(json.dumps(named).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Pending:
    """A change that was sent, and is not known to have arrived."""

    reason: Reason
    change: str
    publish_id: int
    row_hash: str | None
    error: str = ""


@dataclass(frozen=True)
class Held:
    """What a target has under a key, as far as it has said so."""

    row_hash: str | None  # None: it has no row
    publish_id: int  # of the last change that it took; 0: none
    pending: Pending | None = None


State = Mapping[str, Held]


@dataclass(frozen=True)
class Difference:
    """What is to be sent, in the order of the keys, and what is not."""

    changes: tuple[Change, ...]
    held_back: tuple[str, ...]  # keys whose change the target refused, and nothing is new since
    settled: tuple[str, ...]  # keys whose refused change is no longer wanted: there is nothing to send any more


def difference(
    rows: Mapping[str, Row], state: State, publish_id: int, is_update_only: bool = False, again: bool = False
) -> Difference:
    """Compare the rows of a publish with what the target has.

    Parameters
    ----------
    rows : mapping
        Key -> row, as published.
    state : mapping
        Key -> what the target has.
    is_update_only : bool
        Nothing is added and nothing deleted.
    again : bool
        Send what was refused once more.
    """
    changes: list[Change] = []
    held_back: list[str] = []
    settled: list[str] = []
    for key in sorted(rows.keys() | state.keys()):
        row, held = rows.get(key), state.get(key, Held(None, 0))
        if is_update_only and row is None:
            continue
        pending = held.pending
        is_in_doubt = pending is not None and pending.reason == IN_DOUBT
        if not is_in_doubt and held.row_hash == (None if row is None else row.hash):
            if pending is not None:
                settled.append(key)
            continue
        wanted = Change(key, _kind(row, held, is_update_only), publish_id, row)
        if pending is not None and (pending.change, pending.row_hash) == (wanted.change, wanted.row_hash):
            if not is_in_doubt and not again:
                held_back.append(key)
                continue
            wanted = replace(wanted, publish_id=pending.publish_id)  # the same event: who has it takes it once
        changes.append(wanted)
    return Difference(tuple(changes), tuple(held_back), tuple(settled))


def after(
    state: State, taken: Iterable[Change], pending: Iterable[tuple[Change, Pending]], settled: Iterable[str]
) -> dict[str, Held]:
    """What the target has after some of the changes of a plan.

    Parameters
    ----------
    taken : iterable of Change
        What it has acknowledged.
    pending : iterable of (Change, Pending)
        What it has not.
    settled : iterable of str
        Keys whose refused change is no longer wanted.
    """
    now = dict(state)
    for key in settled:
        now[key] = replace(now[key], pending=None)
    for change in taken:
        now[change.key] = Held(change.row_hash, change.publish_id)
    for change, why in pending:
        now[change.key] = replace(now.get(change.key, Held(None, 0)), pending=why)
    # of a row that is gone, and was refused by nobody, nothing need be known: should it come back, its publish is later
    return {key: held for key, held in now.items() if held.row_hash is not None or held.pending is not None}


def _kind(row: Row | None, held: Held, is_update_only: bool) -> str:
    if row is None:
        return DELETED
    return UPDATED if is_update_only or held.row_hash is not None else ADDED
