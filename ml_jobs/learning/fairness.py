"""How differently a score treats groups of people, and whether chance alone could make it look so.

Three gaps between groups: of the share that the list selects (demographic parity), of the share that it finds among
those with the outcome (equal opportunity), and of the outcome beyond its promise (calibration). Each stands with an
interval at the effective number of rows (Agresti and Caffo 2000, for shares near 0 and small groups), as wide as all
pairs of groups (Tukey's studentized range) and the three gaps together ask for: where all groups are treated alike, at
most one comparison of an attribute in twenty says otherwise.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import combinations
from math import sqrt
from typing import Literal, NamedTuple, TypedDict, get_args

import numpy as np
from scipy.stats import studentized_range

from ml_jobs.learning.calibration import effective_count
from ml_jobs.learning.leaks import single_feature_aucs

LEAST_ROWS = 100  # of a group that is compared
LEAST_FOUND = 10  # positives of a group whose share found is compared
FALSE_ALARMS = 0.05  # of the comparisons of one attribute, all gaps together, where nothing differs
PROXY = 0.6  # ROC AUC alone from which on a column tells a group from the others
MISSING = "missing"  # of whom nothing is known is no group of people

Gap = Literal["selection_gap", "found_gap", "calibration_gap_of_groups"]
GAPS: tuple[Gap, ...] = get_args(Gap)


class GroupGap(TypedDict):
    """The pair of groups that surely differs the most in one respect."""

    gap: Gap
    higher: str
    lower: str
    rows: int  # of both; of the gap in what is found, their positives
    higher_rate: float
    lower_rate: float
    value: float  # the difference of the rates, with its interval
    low: float
    high: float


class _Rate(NamedTuple):
    """A rate of a group, drawn towards the middle by two rows; its variance; and the rate and rows as they are."""

    centre: float
    variance: float
    rate: float
    rows: int


def group_gaps(
    ranking: np.ndarray,
    group: np.ndarray,
    customer: np.ndarray,
    share: float,
    came: tuple[np.ndarray, np.ndarray] | None = None,
) -> list[GroupGap]:
    """The surest difference between two groups, by gap; none of a gap for which there are not two groups large enough.

    Parameters
    ----------
    ranking, group : (n,) arrays
    customer : (n,) array
        Whose rows are drawn together.
    share : float
        The top of the list by ``ranking`` that is selected.
    came : pair of (n,) arrays, optional
        Labels and the probabilities that were promised; before these are known there is the gap in what is selected.
    """
    names = group.astype(str)
    selected = ranking >= np.quantile(ranking, 1 - share)
    found: list[GroupGap] = []
    for gap, rates in _rates(selected, names, customer, came).items():
        if len(rates) > 1:
            width = _width(len(rates))
            pairs = [_pair(gap, one, other, rates, width) for one, other in combinations(rates, 2)]
            found.append(max(pairs, key=lambda pair: (pair["low"], pair["value"])))
    return found


def _rates(
    selected: np.ndarray, names: np.ndarray, customer: np.ndarray, came: tuple[np.ndarray, np.ndarray] | None
) -> Mapping[Gap, dict[str, _Rate]]:
    """The rates of every group that is large enough, by gap."""
    rates: dict[Gap, dict[str, _Rate]] = {gap: {} for gap in GAPS}
    large = [name for name in np.unique(names) if name != MISSING and (names == name).sum() >= LEAST_ROWS]
    for name in large:
        inside = names == name
        rates["selection_gap"][name] = _rate(selected[inside], customer[inside])
        if came is None:
            continue
        label, probability = came
        positives = inside & (label == 1)
        if positives.sum() >= LEAST_FOUND:
            rates["found_gap"][name] = _rate(selected[positives], customer[positives])
        of_label = _rate(label[inside], customer[inside])
        promised = float(probability[inside].mean())
        beyond = of_label._replace(centre=of_label.centre - promised, rate=of_label.rate - promised)
        rates["calibration_gap_of_groups"][name] = beyond
    return rates


def _rate(happened: np.ndarray, customer: np.ndarray) -> _Rate:
    rate, count = happened.mean(), effective_count(happened, customer)
    centre = (rate * count + 1) / (count + 2)
    return _Rate(float(centre), float(centre * (1 - centre) / (count + 2)), float(rate), len(happened))


def _pair(gap: Gap, one: str, other: str, rates: Mapping[str, _Rate], width: float) -> GroupGap:
    higher, lower = sorted((one, other), key=lambda name: rates[name].rate, reverse=True)
    above, below = rates[higher], rates[lower]
    value, middle = above.rate - below.rate, above.centre - below.centre
    reach = width * sqrt(above.variance + below.variance)
    return {
        "gap": gap,
        "higher": higher,
        "lower": lower,
        "rows": above.rows + below.rows,
        "higher_rate": above.rate,
        "lower_rate": below.rate,
        "value": value,
        "low": max(0.0, min(value, middle - reach)),
        "high": max(value, middle + reach),
    }


@cache
def _width(groups: int) -> float:
    """Half the width of an interval that holds for all pairs of so many groups, and all gaps, in standard errors.

    >>> round(_width(2), 2)
    2.39
    """
    return float(studentized_range.ppf(1 - FALSE_ALARMS / len(GAPS), groups, np.inf)) / sqrt(2)


def proxies(values: np.ndarray, columns: Sequence[str], group: np.ndarray) -> dict[str, float]:
    """The columns by which groups can be told apart, each with how well it tells one from the others (ROC AUC alone).

    Parameters
    ----------
    values : (n, columns) array
    group : (n,) array
        Names of groups; a row of whom nothing is known counts for nothing.
    """
    names = group.astype(str)
    known = names != MISSING
    told: dict[str, float] = {}
    for name in np.unique(names[known]):
        if (names == name).sum() < LEAST_ROWS:
            continue
        areas = single_feature_aucs(values[known], (names == name)[known].astype(int), columns)
        told |= {column: max(area, told.get(column, 0.0)) for column, area in areas.items()}
    return {column: area for column, area in sorted(told.items()) if area >= PROXY}
