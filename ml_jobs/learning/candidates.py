"""Simple forecasts of weekly series, 13 weeks ahead from every week of the history; they know nothing that came later.

A *stock* (deposits, investments) is a level at the end of a week, a *flow* (money to outside funds) a sum over it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import RidgeCV

HORIZON, YEAR = 13, 52  # weeks
REGRESSION_WEEKS = 26  # at least, to estimate the course of a month
RECENT_WEEKS = 13
HALF_LIFE_WEEKS = 52  # of a week's weight in the regression
PENALTIES = (3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
OUTLYING = 3.0  # standard deviations from what the drivers explain: one customer's windfall is no season
CLIPPINGS = 3
Candidate = Callable[[np.ndarray], np.ndarray]  # from the known (weeks, nodes) to the (horizon, nodes) ahead


@dataclass(frozen=True)
class Drivers:
    """What moves the series: the calendar, known ahead, and rates, known up to today."""

    names: tuple[str, ...]  # of the calendar's columns, then of the rates'
    stock: np.ndarray  # (weeks + horizon, calendar columns) that move the change of a stock over each week
    flow: np.ndarray  # (weeks + horizon, calendar columns) that move a flow in each week
    rates: np.ndarray  # (weeks, rate columns) per cent a year

    def table(self, known: int, ahead: int, is_stock: bool) -> np.ndarray:
        """(known + ahead, columns) as known after ``known`` weeks: rates stay at their last value."""
        calendar = self.stock if is_stock else self.flow
        rates = self.rates[np.minimum(np.arange(known + ahead), known - 1)]
        return np.hstack([calendar[: known + ahead], rates])


def paths_of(nodes: np.ndarray, origins: np.ndarray, drivers: Drivers, is_stock: bool) -> dict[str, np.ndarray]:
    """The forecasts of every candidate, the simplest first.

    Parameters
    ----------
    nodes : (weeks, nodes) array
    origins : (origins,) array
        How many weeks are known.

    Returns
    -------
    dict of str to (origins, horizon, nodes) array
        nan where the history is too short for the candidate.
    """
    paths = {}
    for name, (least, candidate) in _candidates(drivers, is_stock).items():
        paths[name] = np.full((len(origins), HORIZON, nodes.shape[1]), np.nan)
        for at in np.flatnonzero(origins >= least):
            paths[name][at] = candidate(nodes[: origins[at]])
    return paths


def changes_of(known: np.ndarray, is_stock: bool) -> np.ndarray:
    """The dependent variable: weekly changes of a stock; a flow without its first week, which may be incomplete."""
    return np.diff(known, axis=0) if is_stock else known[1:]


def _candidates(drivers: Drivers, is_stock: bool) -> dict[str, tuple[int, Candidate]]:
    """By name the least weeks of history and the candidate; the simplest first."""
    ahead = np.arange(1, HORIZON + 1)[:, None]

    def naive(known: np.ndarray) -> np.ndarray:
        last = known[-1] if is_stock else known[-RECENT_WEEKS:].mean(axis=0)
        return np.repeat(last[None], HORIZON, axis=0)

    def drift(known: np.ndarray) -> np.ndarray:
        return known[-1] + changes_of(known, is_stock)[-YEAR:].mean(axis=0) * ahead

    def seasonal_naive(known: np.ndarray) -> np.ndarray:
        return known[len(known) - YEAR : len(known) - YEAR + HORIZON]

    def regression(known: np.ndarray) -> np.ndarray:
        # A naive forecast of what the drivers do not explain.
        changes = changes_of(known, is_stock)
        driven = _driven(changes, drivers.table(len(known), HORIZON, is_stock)[1:])
        coming = driven[len(changes) :]
        if is_stock:
            return known[-1] + np.cumsum(coming, axis=0)
        return (changes - driven[: len(changes)])[-RECENT_WEEKS:].mean(axis=0) + coming

    simple = {"naive": (HORIZON, naive), **({"drift": (HORIZON, drift)} if is_stock else {})}
    return {**simple, "seasonal_naive": (YEAR + 1, seasonal_naive), "regression": (REGRESSION_WEEKS, regression)}


def _driven(changes: np.ndarray, table: np.ndarray) -> np.ndarray:
    """By how much the drivers move each week, past and coming, from the mean: ridge regression.

    Leave-one-out cross-validation chooses the penalty. A change is clipped around what the drivers explain of it, not
    around the mean: an event that comes back each year is learned in full, a windfall is not.

    Parameters
    ----------
    changes : (weeks, nodes) array
    table : (weeks + horizon, drivers) array

    Returns
    -------
    (weeks + horizon, nodes) array
    """
    weeks = len(changes)
    scale = changes.std(axis=0)
    scale[scale == 0] = 1
    standard = (changes - changes.mean(axis=0)) / scale
    spread = table[:weeks].std(axis=0)
    moving = spread > 1e-9
    if not moving.any():
        return np.zeros((len(table), changes.shape[1]))
    drivers = (table[:, moving] - table[:weeks, moving].mean(axis=0)) / spread[moving]
    weight = 0.5 ** (np.arange(weeks)[::-1] / HALF_LIFE_WEEKS)
    clipped = np.clip(standard, -OUTLYING, OUTLYING)
    penalty = RidgeCV(np.array(PENALTIES)).fit(drivers[:weeks], clipped, sample_weight=weight).alpha_
    centred = drivers[:weeks] - np.average(drivers[:weeks], axis=0, weights=weight)
    weighted = (centred * weight[:, None]).T
    solver = np.linalg.solve(weighted @ centred + penalty * np.eye(len(weighted)), weighted)
    for _ in range(CLIPPINGS):
        fitted = drivers[:weeks] @ (solver @ clipped)
        clipped = fitted + np.clip(standard - fitted, -OUTLYING, OUTLYING)
    return scale * (drivers @ (solver @ clipped))
