"""Probabilities that hold where lists are cut: the promise of each decile against what came, with its interval.

A list is cut by rank within its as-of date: at every tenth, at the shares that the bank can call, and at the bands. For
each part stand the mean probability (the promise) and the observed share with two 95 % intervals: that of the sample,
and the wider one that a quarter to come may have, since quarters differ (see `quarters`). A promise outside the wider
one is *off*; one outside the first alone has *moved*, as quarters do. An alert is raised by what is off, and by what
has moved by a quarter of itself or more: so much matters to whoever relies on it, whatever the reason.
"""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from math import ceil
from types import MappingProxyType
from typing import Literal, NotRequired, TypedDict

import numpy as np

from lakehouse.language import ENGLISH
from ml_jobs.learning.quarters import QuarterSpread, prediction_variance, quarter_spread
from ml_jobs.task_file import Task

DECILES = 10
TOP = "decile 1"  # the tenth of the list with the highest ranks
Z = 1.959964  # half the width of a central 95 % interval, in standard errors
DAYS_OF_A_MONTH = 31
MATERIAL = 1.25  # promised over observed rate, or the other way round, from which on a move is told like a fault
NO_QUARTERS: Mapping[str, QuarterSpread] = MappingProxyType({})


class Promise(TypedDict):
    """A part of the list: how many rows, the mean probability, and the observed share with its 95 % intervals."""

    part: str
    rows: int
    promised: float
    observed: float
    low: float
    high: float
    quarter_low: NotRequired[float]  # of a quarter to come; absent where too few quarters were seen
    quarter_high: NotRequired[float]


def promises(
    task: Task,
    label: np.ndarray,
    ranking: np.ndarray,
    probability: np.ndarray,
    customer: np.ndarray,
    day: np.ndarray | None = None,
    quarters: Mapping[str, QuarterSpread] = NO_QUARTERS,
) -> list[Promise]:
    """The promise of every part of the list.

    Parameters
    ----------
    label : (n,) array of 0 and 1
    ranking, probability : (repeats, n) arrays
        Repeats of cross-validation put a row into other parts; its customer still counts once.
    customer : (n,) array
        Whose rows are drawn together: a customer of several months is no new evidence each month.
    day : (n,) array, optional
        Each day has its own list; None: all rows are one list.
    quarters : dict of str to QuarterSpread, optional
        By part, how quarters differ from what this model promises.
    """
    repeats = len(ranking)
    place = np.concatenate([_places(one, day) for one in ranking])
    outcome, who, stated = np.tile(label, repeats), np.tile(customer, repeats), probability.ravel()
    lines: list[Promise] = []
    for part, first, last in parts(task):
        inside = (place > first) & (place <= last)
        if inside.any():
            line = promise(part, outcome[inside], stated[inside], who[inside], quarters.get(part))
            lines.append({**line, "rows": round(line["rows"] / repeats)})
    return lines


def promise(
    part: str,
    label: np.ndarray,
    probability: np.ndarray,
    customer: np.ndarray,
    quarters: QuarterSpread | None = None,
) -> Promise:
    """The promise of the rows of one part."""
    observed, low, high = share_interval(label, customer)
    promised = float(probability.mean())
    line = Promise(part=part, rows=len(label), promised=promised, observed=observed, low=low, high=high)
    if quarters is None:
        return line
    _, low, high = share_interval(label, customer, prediction_variance(quarters))
    return {**line, "quarter_low": low, "quarter_high": high}


def quarter_spreads(
    task: Task, label: np.ndarray, ranking: np.ndarray, probability: np.ndarray, day: np.ndarray
) -> dict[str, QuarterSpread]:
    """By part of the list, how quarters differed from their promise; none where too few were seen.

    Parameters
    ----------
    label, ranking, probability : (n,) arrays
        Of the development months, by models that have not seen the customer.
    day : (n,) array of dates
        The month-end of each row.
    """
    place, month = _places(ranking, day), day.astype("datetime64[M]").astype(int)
    step = ceil(task.horizon_days / DAYS_OF_A_MONTH)
    spreads = {}
    for part, first, last in parts(task):
        inside = (place > first) & (place <= last)
        if inside.any():
            spreads[part] = quarter_spread(label[inside], probability[inside], month[inside], step)
    return {part: spread for part, spread in spreads.items() if spread is not None}


def parts(task: Task) -> Iterator[tuple[str, float, float]]:
    """Names of the parts of a list, each with the shares of the list between which it lies."""
    for number in range(DECILES):
        yield f"decile {number + 1}", number / DECILES, (number + 1) / DECILES
    for share in task.capacity:
        yield f"top {share:.0%}", 0.0, share
    edges = pairwise((0.0, task.bands.high, task.bands.medium, 1.0))
    for band, (first, last) in zip(("high", "medium", "low"), edges, strict=True):
        yield f"band {band}", first, last


def top_decile(lines: list[Promise]) -> list[Promise]:
    """The line of the top decile; none of a list of fewer than ten rows, which has no such part."""
    return [line for line in lines if line["part"] == TOP]


def verdict(line: Promise) -> Literal["holds", "moved", "off"]:
    """What the intervals say of the promise: outside that of the sample alone, it has moved as quarters do.

    >>> line: Promise = {"part": TOP, "rows": 100, "promised": 0.2, "observed": 0.1, "low": 0.06, "high": 0.17}
    >>> verdict(line), verdict({**line, "quarter_low": 0.05, "quarter_high": 0.21})
    ('off', 'moved')
    """
    if line["low"] <= line["promised"] <= line["high"]:
        return "holds"
    low, high = line.get("quarter_low", line["low"]), line.get("quarter_high", line["high"])
    return "moved" if low <= line["promised"] <= high else "off"


def is_off(line: Promise) -> bool:
    """Whether the promise lies outside what a quarter may bring."""
    return verdict(line) == "off"


def limit(line: Promise) -> float:
    """How far the observed share may lie from the promise; see `alarms`."""
    if line["promised"] > line["observed"]:
        end, of_quarter = line["high"], line.get("quarter_high", line["high"])
    else:
        end, of_quarter = line["low"], line.get("quarter_low", line["low"])
    material = (MATERIAL - 1) * min(line["promised"], line["observed"])
    return max(abs(end - line["observed"]), min(abs(of_quarter - line["observed"]), material))


def alarms(line: Promise) -> bool:
    """Whether the promise is off, or has moved so far that it matters, whatever the reason.

    >>> line: Promise = {"part": TOP, "rows": 100, "promised": 0.2, "observed": 0.1, "low": 0.06, "high": 0.17}
    >>> alarms({**line, "quarter_low": 0.05, "quarter_high": 0.21})
    True
    >>> alarms({**line, "promised": 0.18, "observed": 0.15, "quarter_low": 0.05, "quarter_high": 0.21})
    False
    """
    return abs(line["promised"] - line["observed"]) > limit(line)


def broken(lines: list[Promise], about: str = "") -> list[str]:
    """What a card says of those lines whose promise is off.

    >>> broken([{"part": TOP, "rows": 100, "promised": 0.3, "observed": 0.1, "low": 0.06, "high": 0.17}])
    ['decile 1 was promised 30.0 %, and 10.0 % came (6.0 to 17.0 %): read ranks, not probabilities, there']
    """
    return [
        ENGLISH(
            "{part} was promised {promised} %, and {came} % came ({interval}): read ranks, not probabilities, there",
            part=f"{line['part']}{about}",
            promised=f"{100 * line['promised']:.1f}",
            came=f"{100 * line['observed']:.1f}",
            interval=_intervals(line),
        )
        for line in lines
        if alarms(line)
    ]


def _intervals(line: Promise) -> str:
    low, high = f"{100 * line['low']:.1f}", f"{100 * line['high']:.1f}"
    if "quarter_low" not in line or "quarter_high" not in line:
        return ENGLISH("{low} to {high} %", low=low, high=high)
    return ENGLISH(
        "{low} to {high} %; as quarters differ, {quarter_low} to {quarter_high} %",
        low=low,
        high=high,
        quarter_low=f"{100 * line['quarter_low']:.1f}",
        quarter_high=f"{100 * line['quarter_high']:.1f}",
    )


def in_top_decile(ranking: np.ndarray, day: np.ndarray | None = None) -> np.ndarray:
    """(n,) whether a row is in the top decile of its day's list; without days, of the one list."""
    return _places(ranking, day) <= 1 / DECILES


def effective_count(label: np.ndarray, customer: np.ndarray) -> float:
    """Of how many independent rows the share of positives would have the same variance (Korn and Graubard 1998).

    Without a positive, or a negative, it is the number of customers.

    >>> label = np.array([1, 1, 0, 0])
    >>> effective_count(label, np.arange(4)), effective_count(label, np.arange(4) // 2)
    (4.0, 2.0)
    """
    codes = np.unique(customer, return_inverse=True)[1]
    rows, customers, share = len(label), codes.max() + 1, label.mean()
    if not 0 < share < 1 or customers == 1:
        return float(customers)
    residual = np.bincount(codes, weights=label - share)
    of_sample = (residual**2).sum() / rows**2
    return min(float(rows), float(share * (1 - share) / of_sample)) if of_sample > 0 else float(rows)


def share_interval(label: np.ndarray, customer: np.ndarray, variance: float = 0.0) -> tuple[float, float, float]:
    """The share of positives with its 95 % interval: Wilson's, at the effective number of rows.

    Rows of one customer resemble each other, so they are fewer than their number says (`effective_count`; Dean and
    Pagano 2015 for Wilson's interval). The interval holds the share. What else moves the share, by its ``variance`` in
    log odds, leaves still fewer rows.

    >>> [round(figure, 3) for figure in share_interval(np.array([1, 0, 0, 0]), np.arange(4))]
    [0.25, 0.046, 0.699]
    """
    share, count = label.mean(), effective_count(label, customer)
    centre = (share * count + Z**2 / 2) / (count + Z**2)  # is never 0 or 1, where log odds cannot move
    low, high = wilson(share, 1 / (1 / count + centre * (1 - centre) * variance))
    return float(share), min(float(share), low), max(float(share), high)


def wilson(share: float, count: float) -> tuple[float, float]:
    """Wilson's 95 % interval of a share of so many independent rows.

    >>> wilson(0.0, 30)[0], wilson(1.0, 30)[1]
    (0.0, 1.0)
    """
    centre = (share + Z**2 / (2 * count)) / (1 + Z**2 / count)
    half_width = Z / (1 + Z**2 / count) * np.sqrt(share * (1 - share) / count + Z**2 / (4 * count**2))
    return max(0.0, float(centre - half_width)), min(1.0, float(centre + half_width))


def _places(ranking: np.ndarray, day: np.ndarray | None) -> np.ndarray:
    """(n,) share of the day's list down to each row, above 0 and up to 1; rows of equal rank keep their order."""
    place = np.empty(len(ranking))
    day = np.zeros(len(ranking)) if day is None else day
    for one in np.unique(day):
        of_day = np.flatnonzero(day == one)
        order = of_day[np.argsort(-ranking[of_day], kind="stable")]
        place[order] = np.arange(1, len(order) + 1) / len(order)
    return place
