"""A history of weekly series as every earlier week saw it: forecasts from rolling origins, and who judges them.

Every week of the history, from the 13th on, is an *origin*: from it 13 weeks are forecast as if they had not come yet.
"""

from dataclasses import dataclass

import numpy as np

from ml_jobs.learning import SEED
from ml_jobs.learning.candidates import HORIZON, YEAR, Drivers, changes_of, paths_of
from ml_jobs.learning.hierarchy import LEVELS, Hierarchy
from ml_jobs.learning.intervals import known

LEAST_SELECTION = 8  # origins; with fewer the simplest candidate is used
COMPLEXITY = 0.05  # of the error, which a candidate must save to replace the simplest
JUDGING_ORIGINS = 52  # at most
LEAST_SEASONAL = 13  # judging origins that have a year before them, for last year's week to be the baseline
REPLICATES = 400  # of the bootstrap


@dataclass(frozen=True)
class Backtest:
    """The history as the origins see it; all arrays begin with the origins, of which the last is today."""

    hierarchy: Hierarchy
    level: np.ndarray  # (nodes,) place in LEVELS
    is_stock: bool
    first_judging: int  # origin
    baseline: str
    actual: np.ndarray  # (origins, horizon, nodes), nan where not known yet
    paths: dict[str, np.ndarray]  # candidate to (origins, horizon, nodes)
    lowest: np.ndarray  # (origins, series) lower bound: 0, or the lowest amount so far of an overdrawn account
    spread: np.ndarray  # (origins, nodes) of the weekly changes or flows of a year
    in_sample: np.ndarray  # (nodes,) mean absolute error of the baseline before the origins that judge


@dataclass(frozen=True)
class Judges:
    """The origins that judge, and draws from them in blocks: outcomes of neighbouring origins overlap."""

    level: np.ndarray  # (nodes,) place in LEVELS
    origins: slice
    drawn: np.ndarray  # (1 + replicates, count), the first line without a repetition

    @classmethod
    def of(cls, backtest: Backtest, last_week: int) -> "Judges":
        """Those whose outcomes ``last_week`` weeks ahead are known, as long as the blocks."""
        origins = slice(backtest.first_judging, len(backtest.actual) - last_week)
        count = origins.stop - origins.start
        starts = np.random.default_rng(SEED).integers(0, count, (REPLICATES, -(-count // last_week)))
        drawn = ((starts[:, :, None] + np.arange(last_week)) % count).reshape(REPLICATES, -1)[:, :count]
        return cls(backtest.level, origins, np.vstack([np.arange(count), drawn]))

    @property
    def count(self) -> int:
        return self.drawn.shape[1]

    def absolute(self, errors: np.ndarray) -> np.ndarray:
        """(1 + replicates, levels) mean absolute errors of (origins, weeks, nodes)."""
        return self.means(np.abs(errors))

    def means(self, values: np.ndarray) -> np.ndarray:
        """(1 + replicates, levels) means of (origins, weeks, nodes) over what is not nan."""
        judged = values[self.origins]
        is_known = np.isfinite(judged)
        sums, counts = (
            np.stack([part[..., self.level == at].sum(axis=(1, 2)) for at in range(len(LEVELS))], axis=1)
            for part in (np.where(is_known, judged, 0), is_known.astype(float))
        )
        with np.errstate(invalid="ignore"):
            return sums[self.drawn].sum(axis=1) / counts[self.drawn].sum(axis=1)


def backtest_of(nodes: np.ndarray, hierarchy: Hierarchy, drivers: Drivers, is_stock: bool) -> Backtest:
    """The backtest of a (weeks, nodes) history; arguments as in `forecasting.forecast`."""
    weeks = len(nodes)
    origins = np.arange(HORIZON, weeks + 1)
    after = np.vstack([nodes, np.full((HORIZON, nodes.shape[1]), np.nan)])
    spread = []
    for origin in origins:
        recent = changes_of(nodes[:origin], is_stock)[-YEAR:]
        spread.append(np.sqrt((recent**2).mean(axis=0)) if is_stock else recent.std(axis=0))
    judging = max(weeks - HORIZON - JUDGING_ORIGINS + 1, HORIZON)
    is_seasonal = weeks - HORIZON - max(judging, YEAR + 1) + 1 >= LEAST_SEASONAL
    judging = max(judging, YEAR + 1) if is_seasonal else judging
    lag = YEAR if is_seasonal else 1
    return Backtest(
        hierarchy,
        np.array([LEVELS.index(level) for level in hierarchy.level]),
        is_stock,
        judging - HORIZON,
        "seasonal_naive" if is_seasonal else "naive",
        np.stack([after[origin : origin + HORIZON] for origin in origins]),
        paths_of(nodes, origins, drivers, is_stock),
        np.minimum(np.minimum.accumulate(nodes[:, hierarchy.level == "branch_family"]), 0)[origins - 1],
        np.array(spread),
        np.abs(nodes[lag:judging] - nodes[: judging - lag]).mean(axis=0),
    )


def contender_of(backtest: Backtest, ahead: slice) -> tuple[tuple[str, ...], np.ndarray]:
    """At each origin the candidates that were best before, reconciled.

    Returns
    -------
    tuple of str
        The candidate of each level, today.
    (origins, weeks, nodes) array
    """
    names = tuple(backtest.paths)
    paths = np.stack([backtest.paths[name][:, ahead] for name in names])
    errors = paths - backtest.actual[:, ahead]
    squares, sizes = (errors**2).mean(axis=2), np.abs(errors).mean(axis=2)  # (candidates, origins, nodes)
    absolute = np.stack([sizes[..., backtest.level == at].mean(axis=2) for at in range(len(LEVELS))], axis=2)
    mean, nodes = np.empty(paths.shape[1:]), np.arange(len(backtest.level))
    best = np.zeros(len(LEVELS), dtype=int)
    for at in range(len(mean)):
        past = known(at, ahead.stop)
        variance = np.ones(len(nodes))
        if past.stop - past.start >= LEAST_SELECTION:
            best = _best(absolute[:, past])
            variance = np.nanmean(squares[best[backtest.level], past, nodes], axis=1)
        chosen = paths[best[backtest.level], at, :, nodes].T
        weights = backtest.hierarchy.reconciler(variance)
        mean[at] = backtest.hierarchy.sums(np.maximum(chosen @ weights.T, backtest.lowest[at]))
    return tuple(names[place] for place in best), mean


def _best(errors: np.ndarray) -> np.ndarray:
    """(levels,) the candidate with the least error as a share of the simplest one's; in doubt the simplest.

    Parameters
    ----------
    errors : (candidates, origins, levels) array
        nan where a candidate had too short a history; the first one never has.
    """
    ratios = np.full((len(errors), errors.shape[2]), np.inf)
    for place, of_candidate in enumerate(errors):
        tried = np.isfinite(of_candidate[:, 0])
        if tried.sum() >= LEAST_SELECTION:
            simplest = errors[0, tried].mean(axis=0)
            ratio = of_candidate[tried].mean(axis=0) / np.where(simplest > 0, simplest, np.inf)
            ratios[place] = ratio + (COMPLEXITY if place else 0)
    return ratios.argmin(axis=0)
