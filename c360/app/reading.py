"""Queries of one page are of one publish; on DuckDB the opened store serves all pages until the next publish."""

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from threading import Lock

from c360.api.following import Current
from lakehouse import warehouse
from lakehouse.settings import Settings
from lakehouse.warehouse.stores import Shown

KEPT = 2  # opened stores: a page that was begun may still ask the one before


class Reading:
    """What is published, for queries that the tables in memory do not answer."""

    def __init__(self, settings: Settings, current: Current) -> None:
        self._settings, self._current = settings, current
        self._lock = Lock()
        self._opened: list[tuple[int, Shown, ExitStack]] = []  # by the publish that was current then

    @contextmanager
    def shown(self) -> Generator[Shown]:
        """One publish, for as long as the block lasts."""
        if self._settings.target != "duckdb":  # to open Postgres is cheap, and a long transaction holds back vacuuming
            with warehouse.shown(self._settings) as shown:
                yield shown
            return
        yield self._held()

    def close(self) -> None:
        """Close what is open."""
        with self._lock:
            while self._opened:
                self._opened.pop()[2].close()

    def _held(self) -> Shown:
        wanted = self._current.snapshot.publish_id
        with self._lock:
            if not self._opened or self._opened[-1][0] != wanted:
                stack = ExitStack()
                self._opened.append((wanted, stack.enter_context(warehouse.shown(self._settings)), stack))
                while len(self._opened) > KEPT:
                    self._opened.pop(0)[2].close()
            return self._opened[-1][1]
