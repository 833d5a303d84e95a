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
from ml_jobs.learning.backtest import Backtest, Judges, backtest_of, contender_of
from ml_jobs.learning.candidates import HORIZON, Drivers
from ml_jobs.learning.hierarchy import LEVELS, Hierarchy
from ml_jobs.learning.intervals import intervals
from ml_jobs.learning.metrics import SHARE, Interval, interval

GROUPS = ((1, 4), (5, 8), (9, HORIZON))  # first and last week ahead
LEAST_WEEKS = 2 * HORIZON
SWEEPS = 20  # of raking


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
        backtest = backtest_of(hierarchy.sums(series), hierarchy, drivers, is_stock)
        groups: list[_Group] = []
        for weeks_ahead in GROUPS:
            # A stock is not surer farther ahead.
            least = groups[-1].half_width[:, :, -1] if groups and is_stock else 0.0
            groups.append(_group(backtest, *weeks_ahead, least))
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


def _group(backtest: Backtest, first: int, last: int, least: np.ndarray | float) -> _Group:
    """The forecasts of the weeks ``first`` to ``last`` ahead, with the baseline at the levels where that is better."""
    ahead = slice(first - 1, last)
    actual, baseline = backtest.actual[:, ahead], backtest.paths[backtest.baseline][:, ahead]
    judges = Judges.of(backtest, last)
    candidates, contender = contender_of(backtest, ahead)
    mean, is_replaced, candidate_errors = _published(backtest, judges, candidates, contender, baseline, actual)
    models = tuple(np.where(is_replaced, backtest.baseline, candidates).tolist())
    growth = np.sqrt(np.arange(first, last + 1))[:, None] if backtest.is_stock else np.ones((last - first + 1, 1))
    reach = intervals(mean - actual, backtest.spread, growth, backtest.level, last, least)
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
                interval(errors[:, at], least=0),
                float(scaled[moved].mean()) if moved.any() else float("nan"),
                float(expected[0, at]),
                float(naive[0, at]),
                interval(skills[:, at], most=1),
                with_intervals,
                tuple(interval(part[:, at], *SHARE) for part in inside),
            )
        )
    return _Group(mean, reach.half_width, models, accuracy)


def _published(
    backtest: Backtest,
    judges: Judges,
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
    expected = judges.absolute(baseline - actual)
    is_replaced = np.array([name == backtest.baseline for name in candidates])
    errors = expected
    while True:
        mean = _raked(contender, baseline, backtest, is_replaced)
        errors = np.where(is_replaced, errors, judges.absolute(mean - actual))
        worse = ~is_replaced & (errors[0] >= expected[0])
        if not worse.any():
            return mean, is_replaced, errors
        is_replaced |= worse  # and the other levels, which follow, are judged anew


def _raked(paths: np.ndarray, baseline: np.ndarray, backtest: Backtest, levels: np.ndarray) -> np.ndarray:
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
