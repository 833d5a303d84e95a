"""Answers that hold for as long as a publish does, and take longer to make than to keep."""

from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

Made = TypeVar("Made")


class Kept(Generic[Made]):
    """What was made, by name; the oldest goes where there is no more room."""

    def __init__(self, room: int) -> None:
        self._room, self._lock = room, Lock()
        self._made: dict[Hashable, Made] = {}

    def once(self, name: Hashable, make: Callable[[], Made]) -> Made:
        """What is kept under the name, else what ``make`` gives now; the name has the publish in it."""
        with self._lock:
            if name in self._made:
                return self._made[name]
        made = make()
        with self._lock:
            self._made[name] = made
            while len(self._made) > self._room:
                self._made.pop(next(iter(self._made)))
        return made
