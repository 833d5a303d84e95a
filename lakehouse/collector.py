"""Python's search for garbage that refers to itself, made seldom while a step runs.

The libraries of a step are a million objects that stay, and dbt, which makes and drops as many for a date, has all of
them looked through again and again: half of the time in which it reads a parsed project.
"""

import gc
from collections.abc import Generator
from contextlib import contextmanager
from threading import Lock

SELDOM = (50_000, 20, 10)  # new objects until the young are looked through, and rounds until the older ones are


class _Steps:
    """How many of them run in this process: the first sets the limits, the last sets them back."""

    def __init__(self) -> None:
        self._lock, self._running, self._usual, self._was_frozen = Lock(), 0, gc.get_threshold(), False

    def begin(self) -> None:
        with self._lock:
            self._running += 1
            if self._running == 1:
                self._usual, self._was_frozen = gc.get_threshold(), gc.get_freeze_count() > 0
                gc.freeze()  # what is there already is not looked through, now or when the step ends
                gc.set_threshold(*SELDOM)

    def end(self) -> None:
        with self._lock:
            self._running -= 1
            if self._running == 0:
                gc.set_threshold(*self._usual)
                gc.collect()  # of what it made, tens of megabytes refer to themselves
                if not self._was_frozen:
                    gc.unfreeze()  # what is frozen when Python ends, libraries report as leaks on standard error


_STEPS = _Steps()


@contextmanager
def seldom_collecting() -> Generator[None]:
    """Within the block, garbage is looked for among what is new, and seldom."""
    _STEPS.begin()
    try:
        yield
    finally:
        _STEPS.end()
