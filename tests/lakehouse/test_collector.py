"""Garbage is looked for seldom while any step runs, and as before when the last has ended; none stays."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from lakehouse.collector import SELDOM, seldom_collecting

USUAL = (700, 10, 10)
Limits = tuple[int, int, int]


@pytest.fixture(params=[USUAL, SELDOM], ids=["usual", "the process looks seldom, and has frozen"])
def limits(request: pytest.FixtureRequest) -> Iterator[Limits]:
    before, was_frozen = gc.get_threshold(), gc.get_freeze_count() > 0
    gc.set_threshold(*request.param)
    (gc.freeze if request.param == SELDOM else gc.unfreeze)()
    yield request.param
    (gc.freeze if was_frozen else gc.unfreeze)()
    gc.set_threshold(*before)


def test_the_last_of_the_steps_leaves_it_as_it_was(limits: Limits) -> None:
    with seldom_collecting():
        assert gc.get_threshold() == SELDOM and gc.get_freeze_count() > 0
        with pytest.raises(ValueError, match="a step fails"), seldom_collecting():
            raise ValueError("a step fails")
        assert gc.get_threshold() == SELDOM and gc.get_freeze_count() > 0
    assert gc.get_threshold() == limits and (gc.get_freeze_count() > 0) == (limits == SELDOM)


def test_a_step_leaves_nothing_behind_that_refers_to_itself(limits: Limits) -> None:
    class Node:
        """Of a ring of one."""

        def __init__(self) -> None:
            self.next = self

    left = []
    for _ in range(3):
        with seldom_collecting():
            left.append(weakref.ref(Node()))
    assert [node() for node in left] == [None] * 3
