"""Targets; each kind is a module with a function that opens it for one plan."""

import hashlib
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import TypedDict

from lakehouse.activation.changes import Change
from lakehouse.activation.contract import Activation
from lakehouse.errors import Stop
from lakehouse.lake.activations import Header
from lakehouse.settings import Settings


class Unreachable(Exception):
    """The target does not answer, or says that it cannot now: it is asked again.

    Parameters
    ----------
    wait : float, optional
        Seconds until when it asks not to be.
    """

    def __init__(self, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait


class Refused(Exception):
    """The target does not take a batch as it is, and never will."""


class Unusable(Stop):
    """The target is not what the contract says: nothing can be sent until somebody corrects one of the two."""


class Event(TypedDict):
    """A change as targets receive it."""

    id: str
    activation: str
    table: str
    change: str
    key: dict[str, object]
    publish_id: int
    business_date: str  # of the publish that is being sent
    row: dict[str, object] | None


@dataclass(frozen=True)
class Batch:
    """Consecutive changes of a plan, which a target takes as a whole or not at all."""

    activation: Activation
    header: Header
    first: int  # position of its first change in the plan
    changes: tuple[Change, ...]

    @property
    def event_ids(self) -> list[str]:
        return [change.event_id(self.activation.name, self.activation.table) for change in self.changes]

    @property
    def id(self) -> str:
        """The same for the same changes: by it a target takes a batch once."""
        return hashlib.sha256("".join(self.event_ids).encode()).hexdigest()[:32]

    @property
    def events(self) -> list[Event]:
        """The changes as targets receive them."""
        return [
            Event(
                id=event_id,
                activation=self.activation.name,
                table=self.activation.table,
                change=change.change,
                key=json.loads(change.key),
                publish_id=change.publish_id,
                business_date=self.header["business_date"],
                row=json.loads(change.row.content) if change.row else None,
            )
            for event_id, change in zip(self.event_ids, self.changes, strict=True)
        ]

    def halves(self) -> tuple["Batch", "Batch"]:
        """The same in two."""
        middle = len(self.changes) // 2
        return (
            replace(self, changes=self.changes[:middle]),
            replace(self, first=self.first + middle, changes=self.changes[middle:]),
        )


# Sends a batch, and returns the places in it of rows that the target does not have (with update_only). Raises
# `Unreachable` or `Refused`.
Deliver = Callable[[Batch], list[int]]
Opening = Callable[[Settings, Activation], AbstractContextManager[Deliver]]


def opening(kind: str) -> Opening:
    """Opens targets of a kind."""
    # clients of servers take a while to import
    from lakehouse.activation.targets import file, kafka, postgres, redis, webhook

    kinds: dict[str, Opening] = {
        "file": file.opened,
        "webhook": webhook.opened,
        "postgres": postgres.opened,
        "redis": redis.opened,
        "kafka": kafka.opened,
    }
    return kinds[kind]
