"""Queries of one page are of one publish; on DuckDB the opened store serves all pages until the next publish."""

from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from threading import Lock
from time import sleep

from c360.api.following import AWAY, Current
from c360.api.snapshot import Snapshot
from c360.reports import Query
from lakehouse import warehouse
from lakehouse.errors import Stop
from lakehouse.settings import Settings
from lakehouse.warehouse.stores import Shown

KEPT = 3  # opened stores: a page that was begun may still ask the ones before
TRIES, SECONDS = 10, 0.5  # to open a store that is away for a moment


class Reading:
    """What is published, for queries that the tables in memory do not answer.

    A file that was replaced cannot be opened any more. So a publish is shown only once its file is open here: the
    tables in memory and the queries of a page are always of one.
    """

    def __init__(self, settings: Settings, current: Current, warm: Callable[[Query], None] = lambda _: None) -> None:
        self._settings, self._current, self._warm = settings, current, warm
        self._lock = Lock()
        self._opened: dict[int, tuple[Shown, ExitStack]] = {}  # by publish, the newest last
        if settings.target == "duckdb":
            for _ in range(TRIES):
                if self.adopt(current.snapshot):
                    break
                current.snapshot = Snapshot.of_store(settings)
            current.adopt = self.adopt

    @contextmanager
    def shown(self, publish_id: int | None = None) -> Generator[Shown]:
        """One publish, for as long as the block lasts; by default the one that is current now."""
        if self._settings.target != "duckdb":  # to open Postgres is cheap, and a long transaction holds back vacuuming
            with warehouse.shown(self._settings) as shown:
                yield shown
            return
        with self._lock:
            wanted = publish_id or self._current.snapshot.publish_id
            if wanted not in self._opened:
                raise Stop("this page is of a publish that is no longer kept", "load it again")
            opened, _ = self._opened[wanted]
        yield opened

    def adopt(self, snapshot: Snapshot) -> bool:
        """Open the store for a publish; False if it shows another by now, which will be told, too."""
        for _ in range(TRIES):
            try:
                return self._open(snapshot.publish_id)
            except AWAY:
                sleep(SECONDS)
        return False

    def close(self) -> None:
        """Close what is open."""
        with self._lock:
            while self._opened:
                self._opened.popitem()[1][1].close()

    def _open(self, wanted: int) -> bool:
        with ExitStack() as stack:
            shown = stack.enter_context(warehouse.shown(self._settings))
            if shown.publish_id != wanted:
                return False
            self._warm(shown.query)
            with self._lock:
                self._opened[wanted] = (shown, stack.pop_all())
                old = [self._opened.pop(one)[1] for one in list(self._opened)[:-KEPT]]
        for one in old:
            one.close()
        return True
