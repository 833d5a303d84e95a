"""The booking order of same-day rows follows from the balances."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.adapters.berka.balance_chain import booking_order


def positions(rows: list[tuple[int, int, int, int]], tolerance: int = 10) -> list[int]:
    """Of rows (account, day, signed, balance), already sorted by account and day."""
    return booking_order(*(np.array(column, dtype=np.int64) for column in zip(*rows, strict=True)), tolerance).tolist()


def test_rows_of_a_day_follow_the_balance_of_the_day_before() -> None:
    rows = [(1, 1, 100, 100), (1, 2, -50, 120), (1, 2, 70, 170), (1, 2, -20, 100)]
    assert positions(rows) == [0, 1, 0, 2]


def test_an_account_starts_from_nothing() -> None:
    assert positions([(1, 1, 500, 500), (2, 1, -200, 300), (2, 1, 500, 500)]) == [0, 1, 0]


def test_rounding_does_not_break_the_chain() -> None:
    assert positions([(1, 1, 1000, 1000), (1, 2, -300, 1205), (1, 2, 500, 1508)]) == [0, 1, 0]


def test_a_wrong_first_fit_is_taken_back() -> None:
    """Both rows may start the day; only one of them leaves the other a start."""
    assert positions([(1, 1, 100, 100), (1, 2, -100, 0), (1, 2, 50, 150), (1, 2, -50, 100)]) == [0, 2, 0, 1]


def test_a_lacking_row_leaves_the_nearest_order() -> None:
    """The row between 100 and 40 is not there."""
    assert positions([(1, 1, 100, 100), (1, 2, -10, 30), (1, 2, -20, 10)]) == [0, 0, 1]


@given(
    st.lists(st.integers(-100_000, 100_000).filter(bool), min_size=2, max_size=6),
    st.randoms(use_true_random=False),
)
def test_any_shuffled_day_comes_back_as_an_unbroken_chain(postings: list[int], random: object) -> None:
    balances = np.cumsum([1_000_000, *postings])
    rows = [(1, 2, signed, int(balance)) for signed, balance in zip(postings, balances[1:], strict=True)]
    random.shuffle(rows)
    position = positions([(1, 1, 1_000_000, 1_000_000), *rows], tolerance=0)[1:]
    last = 1_000_000
    for _, _, signed, balance in [rows[index] for index in np.argsort(position)]:
        assert balance - signed == last
        last = balance


@pytest.mark.parametrize("rows", [[], [(1, 1, 5, 5)]])
def test_no_row_and_one_row(rows: list[tuple[int, int, int, int]]) -> None:
    columns = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    assert booking_order(*columns, 0).tolist() == [0] * len(rows)
