"""Questions that pages cannot know beforehand go to the store, to the very publish whose tables are in memory."""

from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from threading import Lock
from time import sleep

from c360.api.following import AWAY, Current
from c360.api.snapshot import Snapshot, published_id
from lakehouse import warehouse
from lakehouse.settings import Settings
from lakehouse.warehouse.stores import Shown

KEPT = 3  # opened stores: a page that was begun may still ask the ones before
TRIES, SECONDS = 10, 0.5  # to open a store that is away for a moment


class MovedOn(Exception):
    """The store shows another publish than the page that was begun; asked again, all of it is of the new one."""


class Reading:
    """What is published, for queries that the tables in memory do not answer; each is of the publish in memory.

    A file that was replaced cannot be opened any more. So a publish is shown only once its file is open here, and stays
    open for the pages that were begun. A server shows the publish of the moment, in a transaction of its own for each
    block: a page that was begun before must begin again.
    """

    def __init__(self, settings: Settings, current: Current, make_ready: Callable[[Snapshot], object]) -> None:
        """``make_ready`` is called with each publish before anybody sees it."""
        self._settings, self._current, self._make_ready = settings, current, make_ready
        self._lock = Lock()
        self._opened: dict[int, tuple[Shown, ExitStack]] = {}  # by publish, the newest last
        for _ in range(TRIES):
            if self.adopt(current.snapshot):
                break
            current.renew()
        current.adopt = self.adopt

    @contextmanager
    def shown(self, publish_id: int) -> Generator[Shown]:
        """The publish of the page, for as long as the block lasts; raises `MovedOn` if it cannot be asked any more."""
        if self._settings.target != "duckdb":  # to open Postgres is cheap, and a long transaction holds back vacuuming
            with warehouse.shown(self._settings) as shown:
                if shown.publish_id != publish_id:
                    raise MovedOn
                yield shown
            return
        with self._lock:
            if publish_id not in self._opened:
                raise MovedOn
            opened, _ = self._opened[publish_id]
        yield opened

    def caught_up(self) -> bool:
        """Whether the publish in memory is the one that the store shows; what is away for a moment is not."""
        try:
            return published_id(self._settings) == self._current.snapshot.publish_id
        except AWAY:
            return False

    def adopt(self, snapshot: Snapshot) -> bool:
        """Get ready to show a publish; False if the store shows another by now, which will be told, too."""
        if self._settings.target == "duckdb" and not self._is_open(snapshot.publish_id):
            return False
        self._make_ready(snapshot)
        return True

    def close(self) -> None:
        """Close what is open."""
        with self._lock:
            while self._opened:
                self._opened.popitem()[1][1].close()

    def _is_open(self, wanted: int) -> bool:
        """Open the store for a publish, which may be away for a moment."""
        for _ in range(TRIES):
            try:
                return self._open(wanted)
            except AWAY:
                sleep(SECONDS)
        return False

    def _open(self, wanted: int) -> bool:
        with ExitStack() as stack:
            shown = stack.enter_context(warehouse.shown(self._settings))
            if shown.publish_id != wanted:
                return False
            with self._lock:
                self._opened[wanted] = (shown, stack.pop_all())
                old = [self._opened.pop(one)[1] for one in list(self._opened)[:-KEPT]]
        for one in old:
            one.close()
        return True
