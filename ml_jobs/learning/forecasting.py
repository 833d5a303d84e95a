"""Forecasts of weekly series 13 weeks ahead: the best of a few candidates by backtest, with tested intervals.

A *stock* (deposits, investments) is a level at the end of a week, a *flow* (money to outside funds) a sum over it. The
backtest has a rolling origin: an origin is a week from whose end 13 weeks are forecast. The weeks of history, oldest
first, are used as follows::

    history ....... | selection origins | 13 weeks | test origins | 13 weeks
                                                                            ^ the published forecast

The *selection* origins choose one candidate per level, and the widths of the intervals. All their outcomes were known
at the first *test* origin; the test origins evaluate what is published. At an origin a candidate knows only what was
known then: rates stay at their last value.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm
from sklearn.linear_model import RidgeCV
from threadpoolctl import threadpool_limits

from lakehouse.errors import Stop
from ml_jobs.learning import SEED
from ml_jobs.learning.hierarchy import LEVELS, Hierarchy
from ml_jobs.learning.metrics import Interval, interval

HORIZON, YEAR = 13, 52  # weeks
TEST_ORIGINS = SELECTION_ORIGINS = 13  # at most
LEAST_ORIGINS = 4  # to choose by; with fewer the simplest candidate is used
LEAST_WEEKS = 2 * HORIZON
REGRESSION_WEEKS = 26  # at least, to estimate the course of a month
RECENT_WEEKS = 13
HALF_LIFE_WEEKS = 52  # of a week's weight in the regression
PENALTIES = (3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
OUTLYING = 3.0  # standard deviations, to which a week is clipped: one customer's windfall is no season
COVERAGES = (0.80, 0.95)
REPLICATES, BLOCK_ORIGINS = 200, 4  # of the bootstrap; origins overlap, so they are drawn in blocks
LAG_WEEKS = 8  # over which the errors of an estimated effect may be correlated
NORMAL = norm.ppf(0.5 + np.array(COVERAGES) / 2)
# From the known (weeks, nodes): the path ahead and its standard error, each (horizon, nodes).
Candidate = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


class CannotForecast(Stop):
    """The history does not support a forecast; the message is the reason that readers see."""


@dataclass(frozen=True)
class Drivers:
    """What moves the series: the calendar, known ahead, and rates, known up to today."""

    names: tuple[str, ...]  # of the calendar's columns, then of the rates'
    level: np.ndarray  # (weeks + horizon, calendar columns) at the end of each week
    mean: np.ndarray  # (weeks + horizon, calendar columns) over the days of each week
    rates: np.ndarray  # (weeks, rate columns) per cent a year

    def table(self, known: int, ahead: int, is_stock: bool) -> np.ndarray:
        """(known + ahead, columns) as known after ``known`` weeks."""
        calendar = np.diff(self.level, axis=0, prepend=self.level[:1]) if is_stock else self.mean
        rates = self.rates[np.minimum(np.arange(known + ahead), known - 1)]
        return np.hstack([calendar[: known + ahead], rates])


@dataclass(frozen=True)
class Paths:
    """Forecasts from several origins, before they are reconciled."""

    mean: np.ndarray  # (origins, horizon, nodes)
    standard_error: np.ndarray  # (origins, horizon, nodes)


@dataclass(frozen=True)
class Accuracy:
    """The backtest of one level at one horizon, on the test origins."""

    level: str
    horizon_weeks: int
    series_count: int
    origin_count: int
    model: str
    baseline: str
    mae: Interval
    mase: float  # nan where the series never moved
    baseline_mae: float
    naive_mae: float
    skill: Interval  # 1 - mae / baseline_mae
    coverage: tuple[float, ...]  # one per COVERAGES


@dataclass(frozen=True)
class Forecast:
    """Forecasts of every node of a hierarchy, and their accuracy."""

    hierarchy: Hierarchy
    mean: np.ndarray  # (horizon, nodes)
    baseline: np.ndarray  # (horizon, nodes)
    half_width: np.ndarray  # (coverages, horizon, nodes)
    lowest: np.ndarray  # (nodes,) lower bound
    models: dict[str, str]  # level to candidate
    baseline_name: str
    accuracy: list[Accuracy]


@dataclass(frozen=True)
class Effect:
    """What one percentage point of a rate adds to the weekly change of a stock, or to a weekly flow."""

    per_week: np.ndarray  # (nodes,)
    standard_error: np.ndarray  # (nodes,), infinite where the effect is not identified
    freedom: int  # degrees, of Student's distribution


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
        return _forecast(hierarchy.sums(series), hierarchy, drivers, is_stock)


def effect(nodes: np.ndarray, drivers: Drivers, is_stock: bool, rate: str) -> Effect:
    """Least squares of the weekly change (stock) or flow on all drivers, with errors robust to autocorrelation.

    The errors are those of Newey & West (1987), by statsmodels.

    Parameters
    ----------
    nodes : (weeks, nodes) array
    rate : str
        One of the drivers' names.

    Returns
    -------
    Effect
        With an infinite standard error where the rate moved only with other drivers, or the weeks are too few.
    """
    from statsmodels.stats.sandwich_covariance import S_hac_simple  # slow to import, and only reports need it

    weeks = len(nodes)
    changes, table = _changes(nodes, is_stock), drivers.table(weeks, 0, is_stock)[1:]
    table = np.column_stack([np.ones(len(table)), table])
    at, moving = 1 + drivers.names.index(rate), np.ptp(table, axis=0) > 0
    freedom = len(table) - 1 - int(moving.sum())
    nothing = Effect(np.zeros(nodes.shape[1]), np.full(nodes.shape[1], np.inf), max(freedom, 1))
    if not moving[at] or freedom < REGRESSION_WEEKS:
        return nothing
    # The part of the rate that no other driver explains identifies its effect (Frisch-Waugh-Lovell).
    others = np.delete(table, at, axis=1)
    unexplained = table[:, at] - others @ np.linalg.lstsq(others, table[:, at], rcond=None)[0]
    square = unexplained @ unexplained
    if square < 1e-9 * (table[:, at] @ table[:, at]):
        return nothing
    residual = changes - table @ np.linalg.lstsq(table, changes, rcond=None)[0]
    variance = np.diag(S_hac_simple(unexplained[:, None] * residual, LAG_WEEKS))
    error = np.sqrt(np.maximum(variance, 0) * len(table) / freedom) / square
    return Effect(unexplained @ changes / square, error, freedom)


def _forecast(nodes: np.ndarray, hierarchy: Hierarchy, drivers: Drivers, is_stock: bool) -> Forecast:
    # The lower bound is 0, or the lowest amount so far: an overdrawn account.
    lowest = np.minimum(nodes[:, hierarchy.level == "branch_family"].min(axis=0), 0)
    selection, test = _origins(len(nodes))
    candidates = _candidates(drivers, is_stock)
    models = _select(candidates, nodes, hierarchy, selection)
    tested, now = (_selected(candidates, models, nodes, hierarchy, origins) for origins in (test, [len(nodes)]))
    weights, multipliers = hierarchy.reconciler(np.ones(nodes.shape[1])), np.tile(NORMAL, (len(LEVELS), 1))
    if len(selection) >= LEAST_ORIGINS:
        past = _selected(candidates, models, nodes, hierarchy, selection)
        weights, multipliers = _calibrate(past, _actual(nodes, selection), tested, hierarchy, lowest)
    outcome = _actual(nodes, test)
    baseline_name = "seasonal_naive" if test[0] > YEAR else "naive"
    baseline = candidates[baseline_name][1]
    accuracy = _accuracy(
        hierarchy,
        _reconcile(tested.mean, weights, hierarchy, lowest) - outcome,
        _paths(baseline, nodes, test).mean - outcome,
        _paths(candidates["naive"][1], nodes, test).mean - outcome,
        _half_width(tested.standard_error, multipliers, hierarchy),
        _in_sample_error(nodes, test[0]),
        models,
        baseline_name,
    )
    # The published forecast is calibrated on the test origins, the newest whose outcomes are known.
    weights, multipliers = _calibrate(tested, outcome, now, hierarchy, lowest)
    cents = np.round(_reconcile(now.mean, weights, hierarchy, lowest)[0][:, hierarchy.level == "branch_family"], 2)
    return Forecast(
        hierarchy,
        np.round(hierarchy.sums(cents), 2),
        np.round(_paths(baseline, nodes, [len(nodes)]).mean[0], 2),
        np.round(_half_width(now.standard_error, multipliers, hierarchy)[:, 0], 2),
        hierarchy.sums(lowest),
        models,
        baseline_name,
        accuracy,
    )


def _origins(weeks: int) -> tuple[list[int], list[int]]:
    """Selection and test origins; at least one horizon of history stands before each."""
    first_test = weeks - HORIZON - TEST_ORIGINS + 1
    test = [origin for origin in range(first_test, weeks - HORIZON + 1) if origin >= HORIZON]
    last = test[0] - HORIZON
    selection = [origin for origin in range(last - SELECTION_ORIGINS + 1, last + 1) if origin >= HORIZON]
    return selection, test


def _select(
    candidates: dict[str, tuple[int, Candidate]], nodes: np.ndarray, hierarchy: Hierarchy, selection: list[int]
) -> dict[str, str]:
    """Of each level the candidate with the least absolute error; the simplest one if there are few origins."""
    if len(selection) < LEAST_ORIGINS:
        return dict.fromkeys(LEVELS, "naive")
    actual = _actual(nodes, selection)
    errors = {
        name: np.abs(_paths(candidate, nodes, selection).mean - actual)
        for name, (least, candidate) in candidates.items()
        if selection[0] >= least
    }
    models = {}
    for level in LEVELS:
        of_level = {name: error[..., hierarchy.level == level].mean() for name, error in errors.items()}
        models[level] = min(of_level, key=of_level.__getitem__)
    return models


def _selected(
    candidates: dict[str, tuple[int, Candidate]],
    models: dict[str, str],
    nodes: np.ndarray,
    hierarchy: Hierarchy,
    origins: list[int],
) -> Paths:
    """Of each node the path of the candidate of its level."""
    used = {name: _paths(candidates[name][1], nodes, origins) for name in sorted(set(models.values()))}
    mean, standard_error = np.select(
        [np.array([models[level] for level in hierarchy.level]) == name for name in used],
        [np.stack([paths.mean, paths.standard_error]) for paths in used.values()],
    )
    return Paths(mean, standard_error)


def _calibrate(
    past: Paths, actual: np.ndarray, coming: Paths, hierarchy: Hierarchy, lowest: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """From past errors the weights that reconcile, and the multipliers of the coming standard errors."""
    weights = hierarchy.reconciler(((past.mean - actual) ** 2).mean(axis=(0, 1)))
    errors = _reconcile(past.mean, weights, hierarchy, lowest) - actual
    return weights, _multipliers(errors, coming.standard_error[0], hierarchy)


def _candidates(drivers: Drivers, is_stock: bool) -> dict[str, tuple[int, Candidate]]:
    """By name the least weeks of history and the candidate; the simplest first."""
    ahead = np.arange(1, HORIZON + 1)[:, None]
    # Errors of weekly changes accumulate in a stock; those of a flow do not.
    growth = np.sqrt(ahead) if is_stock else np.ones_like(ahead)

    def naive(known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        recent = _changes(known, is_stock)[-YEAR:]
        if is_stock:
            return np.repeat(known[-1:], HORIZON, axis=0), growth * _root_mean_square(recent)
        return np.repeat(known[-RECENT_WEEKS:].mean(axis=0)[None], HORIZON, axis=0), growth * recent.std(axis=0)

    def drift(known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        change = _changes(known, is_stock)[-YEAR:]
        return known[-1] + change.mean(axis=0) * ahead, np.sqrt(ahead + ahead**2 / len(change)) * change.std(axis=0)

    def seasonal_naive(known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        year_ago = known[len(known) - YEAR : len(known) - YEAR + HORIZON]
        return year_ago, np.ones_like(ahead) * _root_mean_square((known[YEAR:] - known[:-YEAR])[-YEAR:])

    def regression(known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        # A naive forecast of the residuals.
        changes = _changes(known, is_stock)
        driven = _driven(changes, drivers.table(len(known), HORIZON, is_stock)[1:])
        residuals, coming = (changes - driven[: len(changes)])[-YEAR:], driven[len(changes) :]
        if is_stock:
            return known[-1] + np.cumsum(coming, axis=0), growth * _root_mean_square(residuals)
        return residuals[-RECENT_WEEKS:].mean(axis=0) + coming, growth * residuals.std(axis=0)

    simple = {"naive": (HORIZON, naive), **({"drift": (HORIZON, drift)} if is_stock else {})}
    return {**simple, "seasonal_naive": (YEAR + 1, seasonal_naive), "regression": (REGRESSION_WEEKS, regression)}


def _root_mean_square(errors: np.ndarray) -> np.ndarray:
    """Of each column."""
    return np.sqrt((errors**2).mean(axis=0))


def _changes(known: np.ndarray, is_stock: bool) -> np.ndarray:
    """The dependent variable: weekly changes of a stock; a flow without its first week, which may be incomplete."""
    return np.diff(known, axis=0) if is_stock else known[1:]


def _driven(changes: np.ndarray, table: np.ndarray) -> np.ndarray:
    """By how much the drivers move each week, past and coming, from the mean: ridge regression.

    Leave-one-out cross-validation chooses the penalty.

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
    clipped = np.clip((changes - changes.mean(axis=0)) / scale, -OUTLYING, OUTLYING)
    spread = table[:weeks].std(axis=0)
    moving = spread > 1e-9
    drivers = (table[:, moving] - table[:weeks, moving].mean(axis=0)) / spread[moving]
    weight = 0.5 ** (np.arange(weeks)[::-1] / HALF_LIFE_WEEKS)
    ridge = RidgeCV(np.array(PENALTIES)).fit(drivers[:weeks], clipped, sample_weight=weight)
    return scale * (drivers @ ridge.coef_.reshape(changes.shape[1], -1).T)


def _paths(candidate: Candidate, nodes: np.ndarray, origins: list[int]) -> Paths:
    return Paths(*np.stack([np.stack(candidate(nodes[:origin])) for origin in origins], axis=1))


def _actual(nodes: np.ndarray, origins: list[int]) -> np.ndarray:
    """(origins, horizon, nodes)"""
    return np.stack([nodes[origin : origin + HORIZON] for origin in origins])


def _reconcile(paths: np.ndarray, weights: np.ndarray, hierarchy: Hierarchy, lowest: np.ndarray) -> np.ndarray:
    """Make paths add up over the hierarchy, with no series below its lower bound."""
    return hierarchy.sums(np.maximum(paths @ weights.T, lowest))


def _multipliers(errors: np.ndarray, standard_error: np.ndarray, hierarchy: Hierarchy) -> np.ndarray:
    """How many standard errors contain the given share of the past errors of a level.

    Never fewer than of normal errors: a short history says little of what is rare.

    Parameters
    ----------
    errors : (origins, horizon, nodes) array
    standard_error : (horizon, nodes) array

    Returns
    -------
    (levels, coverages) array
    """
    multipliers = np.tile(NORMAL, (len(LEVELS), 1))
    for at, level in enumerate(LEVELS):
        moving = (hierarchy.level == level) & (standard_error.min(axis=0) > 0)
        if moving.any():
            scaled = np.abs(errors[..., moving]) / standard_error[:, moving]
            multipliers[at] = np.maximum(multipliers[at], np.quantile(scaled, COVERAGES))
    return multipliers


def _half_width(standard_error: np.ndarray, multipliers: np.ndarray, hierarchy: Hierarchy) -> np.ndarray:
    """(coverages, origins, horizon, nodes) of the intervals."""
    of_level = multipliers[[LEVELS.index(level) for level in hierarchy.level]]
    return of_level.T[:, None, None, :] * standard_error


def _in_sample_error(nodes: np.ndarray, known: int) -> np.ndarray:
    """Mean absolute error of the seasonal naive forecast within the first ``known`` weeks; naive in a first year."""
    lag = YEAR if known > YEAR else 1
    return np.abs(nodes[lag:known] - nodes[: known - lag]).mean(axis=0)


def _accuracy(
    hierarchy: Hierarchy,
    errors: np.ndarray,
    baseline_errors: np.ndarray,
    naive_errors: np.ndarray,
    half_width: np.ndarray,
    in_sample: np.ndarray,
    models: dict[str, str],
    baseline: str,
) -> list[Accuracy]:
    """The accuracy of every level and horizon; errors are (origins, horizon, nodes)."""
    origins = len(errors)
    draws = np.random.default_rng(SEED).integers(0, origins, (REPLICATES, -(-origins // BLOCK_ORIGINS)))
    drawn = ((draws[:, :, None] + np.arange(BLOCK_ORIGINS)) % origins).reshape(REPLICATES, -1)[:, :origins]
    drawn = np.vstack([np.arange(origins), drawn])
    lines = []
    for level in LEVELS:
        of_level = hierarchy.level == level
        absolute, baseline_absolute = np.abs(errors[..., of_level]), np.abs(baseline_errors[..., of_level])
        moved = in_sample[of_level] > 0
        for week in range(HORIZON):
            mae = absolute[:, week].mean(axis=1)[drawn].mean(axis=1)
            other = baseline_absolute[:, week].mean(axis=1)[drawn].mean(axis=1)
            scaled = absolute[:, week][:, moved].mean(axis=0) / in_sample[of_level][moved]
            inside = (absolute[:, week] <= half_width[:, :, week, of_level]).mean(axis=(1, 2))
            lines.append(
                Accuracy(
                    level,
                    week + 1,
                    int(of_level.sum()),
                    origins,
                    models[level],
                    baseline,
                    interval(mae, least=0),
                    float(scaled.mean()) if len(scaled) else float("nan"),
                    float(other[0]),
                    float(np.abs(naive_errors[:, week, of_level]).mean()),
                    interval(1 - mae / np.where(other == 0, np.inf, other), most=1),
                    tuple(map(float, inside)),
                )
            )
    return lines
