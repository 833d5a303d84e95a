"""Forecasts of weekly series 13 weeks ahead: the better of some candidates by rolling origin, with tested intervals.

A *stock* (deposits, investments) is a level at the end of a week, a *flow* (money to outside funds) a sum over it. The
weeks of history, oldest first, are used as follows; an origin is a week from whose end 13 weeks are forecast::

    learn ......... | selection origins | 13 weeks | test origins | 13 weeks
                                                                            ^ the forecast that is published

On the *selection* origins one candidate is chosen per level, and the widths of the intervals are learned. The
outcomes of all of them were known at the first *test* origin; the test origins judge what is published. Every candidate
knows at an origin only what was known then: rates stay at their last value.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm
from sklearn.linear_model import RidgeCV
from threadpoolctl import threadpool_limits

from lakehouse.errors import Stop
from ml_jobs.learning.hierarchy import LEVELS, Hierarchy
from ml_jobs.learning.metrics import Interval, interval

HORIZON, YEAR = 13, 52  # weeks
TEST_ORIGINS = SELECTION_ORIGINS = 13  # at most
LEAST_ORIGINS = 4  # to choose by; with fewer the simplest candidate is used
LEAST_WEEKS = 2 * HORIZON
REGRESSION_WEEKS = 26  # from which on the month's course can be told
RECENT_WEEKS = 13
HALF_LIFE_WEEKS = 52  # of a week's weight in the regression
PENALTIES = (3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
OUTLYING = 3.0  # standard deviations, at which a week is cut off: one customer's windfall is no season
COVERAGES = (0.80, 0.95)
REPLICATES, BLOCK_ORIGINS, SEED = 200, 4, 20240229  # of the bootstrap; origins that overlap are drawn in blocks
LAG_WEEKS = 8  # over which the errors of an estimated effect may hang together
NORMAL = norm.ppf(0.5 + np.array(COVERAGES) / 2)
# Of (weeks, nodes) that are known the path ahead and how far off it may be, each (horizon, nodes).
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
class Ahead:
    """Forecasts from several origins, before or after they add up."""

    path: np.ndarray  # (origins, horizon, nodes)
    spread: np.ndarray  # the same, how far off they may be: one standard error


@dataclass(frozen=True)
class Figures:
    """What the test origins say of one level at one horizon."""

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
    """Forecasts of every node of a hierarchy, and what they are worth."""

    hierarchy: Hierarchy
    mean: np.ndarray  # (horizon, nodes)
    baseline: np.ndarray  # (horizon, nodes)
    half_width: np.ndarray  # (coverages, horizon, nodes)
    lowest: np.ndarray  # (nodes,) below which nothing falls
    models: dict[str, str]  # level to candidate
    baseline_name: str
    figures: list[Figures]


@dataclass(frozen=True)
class Effect:
    """What one percentage point of a rate adds to the weekly change of a stock, or to a weekly flow."""

    per_week: np.ndarray  # (nodes,)
    standard_error: np.ndarray  # (nodes,), infinite where the data do not tell
    freedom: int  # of Student's distribution


def forecast(series: np.ndarray, hierarchy: Hierarchy, drivers: Drivers, is_stock: bool) -> Forecast:
    """Forecast, judged by rolling origin.

    Parameters
    ----------
    series : (weeks, series) array
        The lowest level, week by week.

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
    """Least squares of the weekly change (stock) or flow on all drivers, with errors robust to their hanging together.

    Parameters
    ----------
    nodes : (weeks, nodes) array
    rate : str
        One of the drivers' names.

    Returns
    -------
    Effect
        Of no use where the rate did not move by itself, or the weeks are too few.
    """
    weeks = len(nodes)
    moves, table = _moves(nodes, is_stock), drivers.table(weeks, 0, is_stock)[1:]
    table = np.column_stack([np.ones(len(table)), table])
    at, moving = 1 + drivers.names.index(rate), np.ptp(table, axis=0) > 0
    freedom = len(table) - 1 - int(moving.sum())
    nothing = Effect(np.zeros(nodes.shape[1]), np.full(nodes.shape[1], np.inf), max(freedom, 1))
    if not moving[at] or freedom < REGRESSION_WEEKS:
        return nothing
    # The rate as far as no other driver tells it (Frisch-Waugh-Lovell): what is left identifies the effect.
    others = np.delete(table, at, axis=1)
    own = table[:, at] - others @ np.linalg.lstsq(others, table[:, at], rcond=None)[0]
    if own @ own < 1e-9 * (table[:, at] @ table[:, at]):
        return nothing
    slope = own @ moves / (own @ own)
    residual = moves - table @ np.linalg.lstsq(table, moves, rcond=None)[0]
    score = own[:, None] * residual
    variance = (score**2).sum(axis=0)
    for lag in range(1, LAG_WEEKS + 1):  # Newey & West 1987
        variance += 2 * (1 - lag / (LAG_WEEKS + 1)) * (score[lag:] * score[:-lag]).sum(axis=0)
    scale = len(table) / freedom
    error = np.sqrt(np.maximum(variance, 0) * scale) / (own @ own)
    return Effect(slope, error, freedom)


def _forecast(nodes: np.ndarray, hierarchy: Hierarchy, drivers: Drivers, is_stock: bool) -> Forecast:
    weeks = len(nodes)
    # Nothing falls below nothing, but for what did so before: an overdrawn account.
    lowest = np.minimum(nodes[:, hierarchy.level == "branch_family"].min(axis=0), 0)
    test = [origin for origin in range(weeks - HORIZON - TEST_ORIGINS + 1, weeks - HORIZON + 1) if origin >= HORIZON]
    last_selection = test[0] - HORIZON
    selection = [
        origin for origin in range(last_selection - SELECTION_ORIGINS + 1, last_selection + 1) if origin >= HORIZON
    ]
    candidates = _candidates(drivers, is_stock)
    tried = {}
    if len(selection) >= LEAST_ORIGINS:
        tried = {
            name: _ahead(candidate, nodes, selection)
            for name, (least, candidate) in candidates.items()
            if selection[0] >= least
        }
    models = dict.fromkeys(LEVELS, "naive")
    for level in LEVELS if tried else ():
        own = hierarchy.level == level
        errors = {
            name: np.abs(ahead.path - _actual(nodes, selection))[..., own].mean() for name, ahead in tried.items()
        }
        models[level] = min(errors, key=errors.get)

    def chosen(origins: list[int]) -> Ahead:
        """Of each node the candidate of its level."""
        used = {name: _ahead(candidates[name][1], nodes, origins) for name in set(models.values())}
        mine = np.select(
            [np.array([models[level] for level in hierarchy.level]) == name for name in used],
            [np.stack([ahead.path, ahead.spread]) for ahead in used.values()],
        )
        return Ahead(*mine)

    learned, tested, now = chosen(selection) if tried else None, chosen(test), chosen([weeks])
    outcome = _actual(nodes, test)
    weights, reach = hierarchy.reconciler(np.ones(nodes.shape[1])), np.tile(NORMAL, (len(LEVELS), 1))
    if learned is not None:
        weights = hierarchy.reconciler(((learned.path - _actual(nodes, selection)) ** 2).mean(axis=(0, 1)))
        reach = _reach(
            _added_up(learned.path, weights, hierarchy, lowest) - _actual(nodes, selection), tested.spread[0], hierarchy
        )
    baseline_name = "seasonal_naive" if test[0] > YEAR else "naive"
    baseline = candidates[baseline_name][1]
    figures = _figures(
        hierarchy,
        _added_up(tested.path, weights, hierarchy, lowest) - outcome,
        *(_ahead(candidate, nodes, test).path - outcome for candidate in (baseline, candidates["naive"][1])),
        _half_width(tested.spread, reach, hierarchy),
        _in_sample(nodes, test[0]),
        models,
        baseline_name,
    )
    # What is published learns from the test origins.
    weights = hierarchy.reconciler(((tested.path - outcome) ** 2).mean(axis=(0, 1)))
    reach = _reach(_added_up(tested.path, weights, hierarchy, lowest) - outcome, now.spread[0], hierarchy)
    cents = np.round(_added_up(now.path, weights, hierarchy, lowest)[0][:, hierarchy.level == "branch_family"], 2)
    return Forecast(
        hierarchy,
        np.round(hierarchy.sums(cents), 2),
        np.round(_ahead(baseline, nodes, [weeks]).path[0], 2),
        np.round(_half_width(now.spread, reach, hierarchy)[:, 0], 2),
        hierarchy.sums(lowest),
        models,
        baseline_name,
        figures,
    )


def _candidates(drivers: Drivers, is_stock: bool) -> dict[str, tuple[int, Candidate]]:
    """Name to least weeks and candidate; the simplest first."""
    ahead = np.arange(1, HORIZON + 1)[:, None]
    # Errors of weekly changes pile up in a stock; those of a flow do not.
    growth = np.sqrt(ahead) if is_stock else np.ones_like(ahead)

    def naive(known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        recent = _moves(known, is_stock)[-YEAR:]
        if is_stock:
            return np.repeat(known[-1:], HORIZON, axis=0), growth * _size(recent)
        return np.repeat(known[-RECENT_WEEKS:].mean(axis=0)[None], HORIZON, axis=0), growth * recent.std(axis=0)

    def drift(known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        change = _moves(known, is_stock)[-YEAR:]
        return known[-1] + change.mean(axis=0) * ahead, np.sqrt(ahead + ahead**2 / len(change)) * change.std(axis=0)

    def seasonal_naive(known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        year_ago = known[len(known) - YEAR : len(known) - YEAR + HORIZON]
        return year_ago, np.ones_like(ahead) * _size((known[YEAR:] - known[:-YEAR])[-YEAR:])

    def regression(known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        # Naive in what the drivers leave over.
        moves = _moves(known, is_stock)
        driven = _driven(moves, drivers.table(len(known), HORIZON, is_stock)[1:])
        left, coming = (moves - driven[: len(moves)])[-YEAR:], driven[len(moves) :]
        if is_stock:
            return known[-1] + np.cumsum(coming, axis=0), growth * _size(left)
        return left[-RECENT_WEEKS:].mean(axis=0) + coming, growth * left.std(axis=0)

    simple = {"naive": (HORIZON, naive), **({"drift": (HORIZON, drift)} if is_stock else {})}
    return {**simple, "seasonal_naive": (YEAR + 1, seasonal_naive), "regression": (REGRESSION_WEEKS, regression)}


def _size(errors: np.ndarray) -> np.ndarray:
    """Root of the mean square of each column."""
    return np.sqrt((errors**2).mean(axis=0))


def _moves(known: np.ndarray, is_stock: bool) -> np.ndarray:
    """What is regressed: weekly changes of a stock; a flow but for its first week, which may be cut off."""
    return np.diff(known, axis=0) if is_stock else known[1:]


def _driven(moves: np.ndarray, table: np.ndarray) -> np.ndarray:
    """How far the drivers move past and coming weeks from their mean, by ridge regression; one week left out at a time
    finds the penalty.
    """
    weeks = len(moves)
    scale = moves.std(axis=0)
    scale[scale == 0] = 1
    cut = np.clip((moves - moves.mean(axis=0)) / scale, -OUTLYING, OUTLYING)
    spread = table[:weeks].std(axis=0)
    moving = spread > 1e-9
    drivers = (table[:, moving] - table[:weeks, moving].mean(axis=0)) / spread[moving]
    weight = 0.5 ** (np.arange(weeks)[::-1] / HALF_LIFE_WEEKS)
    ridge = RidgeCV(PENALTIES).fit(drivers[:weeks], cut, sample_weight=weight)
    return scale * (drivers @ ridge.coef_.reshape(moves.shape[1], -1).T)


def _ahead(candidate: Candidate, nodes: np.ndarray, origins: list[int]) -> Ahead:
    return Ahead(*np.stack([np.stack(candidate(nodes[:origin])) for origin in origins], axis=1))


def _actual(nodes: np.ndarray, origins: list[int]) -> np.ndarray:
    """(origins, horizon, nodes)"""
    return np.stack([nodes[origin : origin + HORIZON] for origin in origins])


def _added_up(paths: np.ndarray, weights: np.ndarray, hierarchy: Hierarchy, lowest: np.ndarray) -> np.ndarray:
    """Reconciled, and not below the lowest of each series."""
    return hierarchy.sums(np.maximum(paths @ weights.T, lowest))


def _reach(errors: np.ndarray, spread: np.ndarray, hierarchy: Hierarchy) -> np.ndarray:
    """(levels, coverages): how many of the present spreads hold that share of the past errors of a level.

    Never fewer than of normal errors: some weeks of history tell little of what is rare.

    Parameters
    ----------
    errors : (origins, horizon, nodes) array
    spread : (horizon, nodes) array
    """
    reach = np.tile(NORMAL, (len(LEVELS), 1))
    for at, level in enumerate(LEVELS):
        moving = (hierarchy.level == level) & (spread.min(axis=0) > 0)
        if moving.any():
            scaled = np.abs(errors[..., moving]) / spread[:, moving]
            reach[at] = np.maximum(reach[at], np.quantile(scaled, COVERAGES))
    return reach


def _half_width(spread: np.ndarray, reach: np.ndarray, hierarchy: Hierarchy) -> np.ndarray:
    """(coverages, origins, horizon, nodes)"""
    of_level = reach[[LEVELS.index(level) for level in hierarchy.level]]
    return of_level.T[:, None, None, :] * spread


def _in_sample(nodes: np.ndarray, known: int) -> np.ndarray:
    """Mean absolute error, within the first ``known`` weeks, of last year's week, or of last week in a first year."""
    lag = YEAR if known > YEAR else 1
    return np.abs(nodes[lag:known] - nodes[: known - lag]).mean(axis=0)


def _figures(
    hierarchy: Hierarchy,
    errors: np.ndarray,
    baseline_errors: np.ndarray,
    naive_errors: np.ndarray,
    half_width: np.ndarray,
    in_sample: np.ndarray,
    models: dict[str, str],
    baseline: str,
) -> list[Figures]:
    origins = len(errors)
    draws = np.random.default_rng(SEED).integers(0, origins, (REPLICATES, -(-origins // BLOCK_ORIGINS)))
    drawn = ((draws[:, :, None] + np.arange(BLOCK_ORIGINS)) % origins).reshape(REPLICATES, -1)[:, :origins]
    drawn = np.vstack([np.arange(origins), drawn])
    figures = []
    for level in LEVELS:
        own = hierarchy.level == level
        absolute, baseline_absolute = np.abs(errors[..., own]), np.abs(baseline_errors[..., own])
        moved = in_sample[own] > 0
        for week in range(HORIZON):
            mae = absolute[:, week].mean(axis=1)[drawn].mean(axis=1)
            other = baseline_absolute[:, week].mean(axis=1)[drawn].mean(axis=1)
            scaled = absolute[:, week][:, moved].mean(axis=0) / in_sample[own][moved]
            inside = (absolute[:, week] <= half_width[:, :, week, own]).mean(axis=(1, 2))
            figures.append(
                Figures(
                    level,
                    week + 1,
                    int(own.sum()),
                    origins,
                    models[level],
                    baseline,
                    interval(mae),
                    float(scaled.mean()) if len(scaled) else float("nan"),
                    float(other[0]),
                    float(np.abs(naive_errors[:, week, own]).mean()),
                    interval(1 - mae / np.where(other == 0, np.inf, other)),
                    tuple(map(float, inside)),
                )
            )
    return figures
