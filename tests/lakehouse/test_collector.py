"""Garbage is looked for seldom while any step runs, and as before when the last has ended."""

import gc
from collections.abc import Iterator

import pytest

from lakehouse.collector import SELDOM, seldom_collecting

USUAL = (700, 10, 10)


@pytest.fixture(params=[False, True], ids=["usual", "frozen by the process"])
def is_frozen(request: pytest.FixtureRequest) -> Iterator[bool]:
    before, was_frozen = gc.get_threshold(), gc.get_freeze_count() > 0
    gc.set_threshold(*USUAL)
    (gc.freeze if request.param else gc.unfreeze)()
    yield request.param
    (gc.freeze if was_frozen else gc.unfreeze)()
    gc.set_threshold(*before)


def test_the_last_of_the_steps_sets_the_limits_back(is_frozen: bool) -> None:
    with seldom_collecting():
        assert gc.get_threshold() == SELDOM and gc.get_freeze_count() > 0
        with pytest.raises(ValueError, match="a step fails"), seldom_collecting():
            raise ValueError("a step fails")
        assert gc.get_threshold() == SELDOM and gc.get_freeze_count() > 0
    assert gc.get_threshold() == USUAL and (gc.get_freeze_count() > 0) is is_frozen
