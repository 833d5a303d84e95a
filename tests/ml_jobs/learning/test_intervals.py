"""Intervals of made-up forecasts whose errors are known: they hold what they say, and know nothing of the future."""

from collections.abc import Callable

import numpy as np
import pytest

from ml_jobs.learning.intervals import LEAST_ORIGINS, intervals, known

WEEKS, HORIZON, BANKS, BRANCHES = 104, 13, 8, 8
LEVEL = np.array([0] + [1] * BRANCHES)  # the bank, and its branches
GROUPS = ((1, 4), (5, 8), (9, HORIZON))


def naive_errors(series: np.ndarray, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
    """Errors (origins, weeks, nodes) of the last value, and the spread of weekly changes known at each origin."""
    origins = np.arange(HORIZON, WEEKS + 1)
    after = np.vstack([series, np.full((HORIZON, series.shape[1]), np.nan)])
    errors = np.stack([series[origin - 1] - after[origin + first - 1 : origin + last] for origin in origins])
    changes = np.diff(series, axis=0)
    return errors, np.stack([np.sqrt((changes[: origin - 1] ** 2).mean(axis=0)) for origin in origins])


def walk(random: np.random.Generator) -> np.ndarray:
    """Weekly changes of branches, with a part that they share."""
    return random.normal(size=(WEEKS, BRANCHES)) + random.normal(size=(WEEKS, 1))


def heavy(random: np.random.Generator) -> np.ndarray:
    return random.standard_t(3, size=(WEEKS, BRANCHES))


def growing(random: np.random.Generator) -> np.ndarray:
    return 0.4 + random.normal(size=(WEEKS, BRANCHES))


def louder(random: np.random.Generator) -> np.ndarray:
    """Changes twice as large from the second half of the history on."""
    return walk(random) * np.where(np.arange(WEEKS) < WEEKS // 2, 1, 2)[:, None]


def seasonal(random: np.random.Generator) -> np.ndarray:
    return walk(random) + 2 * np.sin(np.arange(WEEKS) / 52 * 2 * np.pi)[:, None]


def shares_inside(changes: Callable[[np.random.Generator], np.ndarray]) -> np.ndarray:
    """(groups, levels, coverages) share of outcomes inside, over many banks and all origins of the second year."""
    random = np.random.default_rng(1)
    held = []
    for _ in range(BANKS):
        branches = np.cumsum(changes(random), axis=0)
        series = np.column_stack([branches.sum(axis=1), branches])
        for first, last in GROUPS:
            errors, spread = naive_errors(series, first, last)
            growth = np.sqrt(np.arange(first, last + 1))[:, None]
            inside = intervals(errors, spread, growth, LEVEL, last).is_inside[:, 52 - HORIZON :]
            held.append([np.nanmean(inside[..., nodes], axis=(1, 2, 3)) for nodes in ([0], LEVEL == 1)])
    return np.array(held).reshape(BANKS, len(GROUPS), 2, 2).mean(axis=0)


@pytest.mark.parametrize("changes", [walk, heavy, growing, seasonal])
def test_80_per_cent_are_80_per_cent_at_every_level_and_horizon(
    changes: Callable[[np.random.Generator], np.ndarray],
) -> None:
    inside = shares_inside(changes)
    assert ((inside[:, 1, 0] > 0.74) & (inside[:, 1, 0] < 0.86)).all(), inside[..., 0]  # of 64 branches
    assert ((inside[:, 0, 0] > 0.70) & (inside[:, 0, 0] < 0.92)).all(), inside[..., 0]  # of 8 banks
    assert (inside[..., 1] > 0.88).all(), inside[..., 1]


def test_intervals_that_held_too_little_are_widened(monkeypatch: pytest.MonkeyPatch) -> None:
    adaptive = shares_inside(louder)[..., 0]
    assert ((adaptive > 0.70) & (adaptive < 0.90)).all(), adaptive
    monkeypatch.setattr("ml_jobs.learning.intervals.GAIN", 0.0)
    assert (shares_inside(louder)[..., 0] < adaptive).all()


def test_an_interval_knows_nothing_that_came_later() -> None:
    series = np.cumsum(np.random.default_rng(2).normal(size=(WEEKS, 9)), axis=0)
    errors, spread = naive_errors(series, 5, 8)
    growth, at = np.sqrt(np.arange(5, 9))[:, None], 60
    before = intervals(errors, spread, growth, LEVEL, 8).half_width[:, : at + 1]
    assert errors[known(at, 8)].shape[0] == 52 and known(at, 8).stop == at - 7
    later = errors.copy()
    later[known(at, 8).stop :] *= 100
    spread[at + 1 :] *= 100
    assert (intervals(later, spread, growth, LEVEL, 8).half_width[:, : at + 1] == before).all(where=~np.isnan(before))


def test_too_few_outcomes_give_no_interval_and_what_never_moves_one_of_no_width() -> None:
    series = np.zeros((WEEKS, 9))
    series[:, 1:5] = np.cumsum(np.random.default_rng(3).normal(size=(WEEKS, 4)), axis=0)
    result = intervals(*naive_errors(series, 1, 4), np.ones((4, 1)), LEVEL, 4)
    first = LEAST_ORIGINS + 4 - 1
    assert np.isnan(result.half_width[:, :first]).all() and not np.isnan(result.half_width[:, first:]).any()
    still = series.std(axis=0) == 0
    assert (result.half_width[:, first:, :, still] == 0).all() and np.isnan(result.is_inside[..., still]).all()
    assert (result.half_width[0] <= result.half_width[1])[first:].all()
