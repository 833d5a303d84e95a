"""Forecasts of weekly series 13 weeks ahead: the best of a few candidates, with intervals and what they were worth.

Every week of the history, from the 13th on, is an *origin*: from it 13 weeks are forecast as if they had not come yet.
At an origin nothing is used that was not known by then: the candidate of each level is the one with the least error at
earlier origins, the weights that reconcile and the intervals come from earlier errors. The newest of these origins
*judge* what is published. Errors differ with the weeks ahead, so all this is done per `GROUPS` of them.

The baseline is the same week a year ago (seasonal naive), in a short history the last value. A level whose candidate
is not better on the weeks that judge gets the baseline itself, and the other levels are raked to it.
"""

from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from lakehouse.errors import Stop
from ml_jobs.learning import SEED
from ml_jobs.learning.candidates import HORIZON, YEAR, Drivers, changes_of, paths_of
from ml_jobs.learning.hierarchy import LEVELS, Hierarchy
from ml_jobs.learning.intervals import intervals, known
from ml_jobs.learning.metrics import Interval, interval

GROUPS = ((1, 4), (5, 8), (9, HORIZON))  # first and last week ahead
LEAST_WEEKS = 2 * HORIZON
LEAST_SELECTION = 8  # origins; with fewer the simplest candidate is used
COMPLEXITY = 0.05  # of the error, which a candidate must save to replace the simplest
JUDGING_ORIGINS = 52  # at most
LEAST_SEASONAL = 13  # judging origins that have a year before them, for last year's week to be the baseline
SWEEPS = 20  # of raking
REPLICATES = 400  # of the bootstrap


class CannotForecast(Stop):
    """The history does not support a forecast; the message is the reason that readers see."""


@dataclass(frozen=True)
class Accuracy:
    """What the forecasts of one level over some weeks ahead were worth at the origins that judge."""

    level: str
    first_week: int
    last_week: int
    series_count: int
    origin_count: int
    candidate: str
    model: str  # what is published: the candidate, or the baseline where that was better
    baseline: str
    mae: Interval  # of what is published
    mase: float  # nan where the series never moved
    baseline_mae: float
    naive_mae: float
    skill: Interval  # 1 - mae of the candidate / baseline_mae
    interval_origin_count: int  # origins with intervals and a known outcome
    coverage: tuple[Interval, ...]  # one per `intervals.COVERAGES`; nan without such origins


@dataclass(frozen=True)
class Forecast:
    """Forecasts of every node of a hierarchy, and their accuracy."""

    hierarchy: Hierarchy
    mean: np.ndarray  # (horizon, nodes)
    baseline: np.ndarray  # (horizon, nodes)
    half_width: np.ndarray  # (coverages, horizon, nodes), nan where too few outcomes are known
    lowest: np.ndarray  # (nodes,) lower bound
    models: np.ndarray  # (horizon, nodes) text
    baseline_name: str
    accuracy: list[Accuracy]


@dataclass(frozen=True)
class _Backtest:
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
class _Group:
    """A backtest of the weeks ahead of one group."""

    mean: np.ndarray  # (origins, weeks, nodes)
    half_width: np.ndarray  # (coverages, origins, weeks, nodes)
    models: tuple[str, ...]  # one per level
    accuracy: list[Accuracy]


def forecast(series: np.ndarray, hierarchy: Hierarchy, drivers: Drivers, is_stock: bool) -> Forecast:
    """Forecast, with a backtest of rolling origin.

    Parameters
    ----------
    series : (weeks, series) array
        The lowest level, week by week, in the order of the hierarchy.
    is_stock : bool
        Whether the series are levels, not sums over a week.

    Raises
    ------
    CannotForecast
        If there are fewer than 26 weeks.
    """
    weeks = len(series)
    if weeks < LEAST_WEEKS:
        raise CannotForecast(f"{weeks} whole weeks of history; at least {LEAST_WEEKS} are needed")
    with threadpool_limits(1):
        backtest = _backtest(hierarchy.sums(series), hierarchy, drivers, is_stock)
        groups = [_group(backtest, *weeks_ahead) for weeks_ahead in GROUPS]
    mean = np.vstack([group.mean[-1] for group in groups])
    cents = np.round(mean[:, hierarchy.level == "branch_family"], 2)
    return Forecast(
        hierarchy,
        np.round(hierarchy.sums(cents), 2),
        np.round(backtest.paths[backtest.baseline][-1], 2),
        np.round(np.concatenate([group.half_width[:, -1] for group in groups], axis=1), 2),
        hierarchy.sums(backtest.lowest[-1]),
        np.vstack(
            [
                np.tile(np.array(group.models)[backtest.level], (last - first + 1, 1))
                for group, (first, last) in zip(groups, GROUPS, strict=True)
            ]
        ),
        backtest.baseline,
        [row for group in groups for row in group.accuracy],
    )


def _backtest(nodes: np.ndarray, hierarchy: Hierarchy, drivers: Drivers, is_stock: bool) -> _Backtest:
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
    return _Backtest(
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


def _group(backtest: _Backtest, first: int, last: int) -> _Group:
    """The forecasts of the weeks ``first`` to ``last`` ahead, with the baseline at the levels where that is better."""
    ahead = slice(first - 1, last)
    actual, baseline = backtest.actual[:, ahead], backtest.paths[backtest.baseline][:, ahead]
    judges = _Judges.of(backtest, last)
    candidates, contender = _contender(backtest, ahead)
    mean, is_replaced, candidate_errors = _published(backtest, judges, candidates, contender, baseline, actual)
    models = tuple(np.where(is_replaced, backtest.baseline, candidates).tolist())
    growth = np.sqrt(np.arange(first, last + 1))[:, None] if backtest.is_stock else np.ones((last - first + 1, 1))
    reach = intervals(mean - actual, backtest.spread, growth, backtest.level, last)
    errors, expected, naive = (
        judges.absolute(path - actual) for path in (mean, baseline, backtest.paths["naive"][:, ahead])
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        skills = np.where(expected > 0, 1 - candidate_errors / expected, np.nan)
        scaled = np.abs(mean - actual)[judges.origins].mean(axis=(0, 1)) / backtest.in_sample
    inside = np.stack([judges.means(part) for part in reach.is_inside])
    with_intervals = int(np.isfinite(reach.is_inside[0][judges.origins]).any(axis=(1, 2)).sum())
    accuracy = []
    for at, level in enumerate(LEVELS):
        nodes = backtest.level == at
        moved = nodes & (backtest.in_sample > 0)
        accuracy.append(
            Accuracy(
                level,
                first,
                last,
                int(nodes.sum()),
                judges.count,
                candidates[at],
                models[at],
                backtest.baseline,
                interval(errors[:, at]),
                float(scaled[moved].mean()) if moved.any() else float("nan"),
                float(expected[0, at]),
                float(naive[0, at]),
                interval(skills[:, at]),
                with_intervals,
                tuple(interval(part[:, at]) for part in inside),
            )
        )
    return _Group(mean, reach.half_width, models, accuracy)


def _contender(backtest: _Backtest, ahead: slice) -> tuple[tuple[str, ...], np.ndarray]:
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


def _published(
    backtest: _Backtest,
    judges: "_Judges",
    candidates: tuple[str, ...],
    contender: np.ndarray,
    baseline: np.ndarray,
    actual: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The contender, raked to the baseline at the levels where it is not better on the weeks that judge.

    Returns
    -------
    (origins, weeks, nodes) array
    (levels,) array of bool
        Whether the baseline replaces the candidate.
    (1 + replicates, levels) array
        Mean absolute errors of the candidates, of a replaced one those for which it was.
    """
    expected, mean = judges.absolute(baseline - actual), contender
    errors = judges.absolute(mean - actual)
    is_replaced = np.array([name == backtest.baseline for name in candidates])
    while True:
        mean = _raked(contender, baseline, backtest, is_replaced)
        errors = np.where(is_replaced, errors, judges.absolute(mean - actual))
        worse = ~is_replaced & (errors[0] >= expected[0])
        if not worse.any():
            return mean, is_replaced, errors
        is_replaced |= worse  # and the other levels, which follow, are judged anew


def _raked(paths: np.ndarray, baseline: np.ndarray, backtest: _Backtest, levels: np.ndarray) -> np.ndarray:
    """Scale series, above their lower bounds, until the levels equal the baseline: iterative proportional fitting.

    Origins without a baseline stay as they are.

    Parameters
    ----------
    paths, baseline : (origins, weeks, nodes) array
    levels : (levels,) array of bool
    """
    if not levels.any():
        return paths
    if levels.all():
        return np.where(np.isfinite(baseline), baseline, paths)
    lowest = backtest.lowest[:, None]
    above = paths[..., backtest.level == LEVELS.index("branch_family")] - lowest
    for _ in range(SWEEPS):
        for at in np.flatnonzero(levels):
            nodes = backtest.level == at
            parts = backtest.hierarchy.summing[nodes]
            wanted, has = np.maximum(baseline[..., nodes] - lowest @ parts.T, 0), above @ parts.T
            above = np.where(has > 0, 0, wanted / parts.sum(axis=1)) @ parts + above * (
                np.divide(wanted, has, out=np.ones_like(has), where=has > 0) @ parts
            )
    raked = backtest.hierarchy.sums(lowest + above)
    return np.where(np.isfinite(baseline), raked, paths)


@dataclass(frozen=True)
class _Judges:
    """The origins that judge, and draws from them in blocks: outcomes of neighbouring origins overlap."""

    level: np.ndarray  # (nodes,) place in LEVELS
    origins: slice
    drawn: np.ndarray  # (1 + replicates, count), the first line without a repetition

    @classmethod
    def of(cls, backtest: _Backtest, last_week: int) -> "_Judges":
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
