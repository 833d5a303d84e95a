"""Change-points: the partition that ruptures finds is the best there is, and the levels before and after."""

from datetime import date

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_jobs.derived.change_points import PENALTY, change_point_table, change_points, level_ends, noise

WOBBLE = 50_000 * (1 + np.array([0.02, -0.01, 0.03, 0.0, -0.02, 0.01, 0.02, -0.03, 0.01, 0.0]))


def rounded(values: list[float] | np.ndarray) -> list[tuple[int, int, int]]:
    return [(point.place, round(point.usual), round(point.level)) for point in change_points(list(values))]


def cost_of(values: np.ndarray, ends: list[int]) -> float:
    levels = np.split(values, ends[:-1])
    return sum(((level - level.mean()) ** 2).sum() for level in levels) + PENALTY * len(levels)


def least_cost(values: np.ndarray) -> float:
    """By trying, for every end, every beginning of the last level."""
    least = [0.0]
    for end in range(1, len(values) + 1):
        least.append(min(least[start] + cost_of(values[start:end], [end]) for start in range(end)))
    return least[-1]


@given(st.lists(st.integers(0, 30), min_size=5, max_size=24).filter(any))
def test_no_other_levels_cost_less(numbers: list[int]) -> None:
    scaled = np.array(numbers) / noise(numbers)
    assert cost_of(scaled, level_ends(numbers)) == pytest.approx(least_cost(scaled), abs=1e-6)


def test_a_fall_is_told_at_its_first_month_end() -> None:
    assert rounded([*WOBBLE, 20_000]) == [(10, 50_150, 20_000)]


def test_assets_that_have_always_been_so_or_grow_steadily_are_no_news() -> None:
    assert rounded(WOBBLE) == rounded([0] * 12) == rounded([1] * 4) == []
    assert not any(
        abs(point.level - point.usual) > 0.3 * point.usual
        for point in change_points([50_000 * 1.02**month for month in range(24)])
    )


def test_a_windfall_that_leaves_again_is_not_called_a_fall() -> None:
    rise, back = change_points([*WOBBLE, 150_000, *WOBBLE])
    assert (rise.place, round(rise.level)) == (10, 150_000)
    assert back.level == pytest.approx(rise.usual, rel=0.02)


def test_a_fall_in_two_steps_is_held_against_what_was_usual() -> None:
    assert rounded([*WOBBLE, 35_000, 15_000])[-1] == (11, 50_150, 15_000)


def test_first_assets_after_nothing_are_a_level() -> None:
    assert rounded([0] * 12 + [30_000]) == [(12, 0, 30_000)]


def test_customers_are_judged_apart() -> None:
    months = [date(2024, 1, 31), date(2024, 2, 29), *(date(2024, month, 30) for month in range(3, 9))]
    assets = pa.table(
        {
            "customer_key": ["a"] * 8 + ["b"] * 8 + ["c"] * 4,
            "as_of_date": months * 2 + months[:4],
            "amount": [9.0] * 6 + [90.005] * 2 + [1000.0] * 8 + [1.0] * 4,
        }
    )
    (row,) = change_point_table(assets).to_pylist()
    assert (row["customer_key"], row["change_date"]) == ("a", months[6])
    assert (str(row["usual_amount"]), str(row["level_amount"])) in (("9.00", "90.00"), ("9.00", "90.01"))


def test_a_bank_without_month_ends_has_none() -> None:
    nothing = pa.table({"customer_key": pa.array([], pa.string()), "as_of_date": pa.array([], pa.date32())})
    nothing = nothing.append_column("amount", pa.array([], pa.float64()))
    assert change_point_table(nothing).num_rows == 0
