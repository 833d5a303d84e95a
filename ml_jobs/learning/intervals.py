"""Conformal intervals: as wide as the errors of earlier forecasts of the same level, as far ahead, were.

An error is scaled by what is usual for its series (normalised conformal prediction: Papadopoulos, Gammerman & Vovk
2008). A level's width is a quantile of its scaled errors that were known by the origin, and not the same quantile for
ever: where past intervals held too few outcomes it is raised, where they held too many, lowered (adaptive conformal
inference: Gibbs & Candès 2021). So a change of the series' ways, which no quantile of the past knows, is made good.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

COVERAGES = (0.80, 0.95)
WINDOW = 52  # origins from which is learned, at most
LEAST_ORIGINS = 13  # with a known outcome, from which on there are intervals
PRIOR_ORIGINS = 8  # as many as the spread of weekly changes counts beside a series' own errors
POOLED_BLOCKS = 5  # as many as the errors of all levels together count beside those of a level
GAIN = 0.5  # by which the share of outcomes missing from one horizon's intervals moves the quantile
LEAST_RATIO = float(norm.ppf(0.5 + COVERAGES[1] / 2) / norm.ppf(0.5 + COVERAGES[0] / 2))
"""Of the outer to the inner width, that of normal errors: a short history says little of what is rare."""
MISSES = (4.0, 0.1)  # at most and at least, as multiples of 1 - coverage, that the quantile taken leaves outside


@dataclass(frozen=True)
class Intervals:
    """Symmetric intervals around forecasts from consecutive origins; nan where too few outcomes were known."""

    half_width: np.ndarray  # (coverages, origins, weeks, nodes)
    is_inside: np.ndarray  # (coverages, origins, weeks, nodes) 1 or 0; nan if unknown, or the series never moved


def known(at: int, last_week: int) -> slice:
    """Of consecutive origins those whose outcomes ``last_week`` weeks ahead are known at the ``at``-th; the newest.

    >>> known(20, 4)
    slice(0, 17, None)
    """
    end = max(at - last_week + 1, 0)
    return slice(max(end - WINDOW, 0), end)


def intervals(
    errors: np.ndarray,
    spread: np.ndarray,
    growth: np.ndarray,
    level: np.ndarray,
    last_week: int,
    least: np.ndarray | float = 0.0,
) -> Intervals:
    """Intervals of every origin, each from what was known then.

    Parameters
    ----------
    errors : (origins, weeks, nodes) array
        Of forecasts of the weeks up to ``last_week`` ahead; nan where the outcome is not known yet.
    spread : (origins, nodes) array
        Of the weekly changes or flows before the origin; 0 where a series never moved.
    growth : (weeks, 1) array
        By which an error grows with the weeks ahead.
    level : (nodes,) array of int
        The level of each node, from 0.
    least : (coverages, origins, nodes) array or 0
        Half widths that are not undercut: what is farther ahead is not surer.
    """
    scale = _scales(errors / growth, spread, last_week)[:, None] * growth
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = np.where(scale > 0, np.abs(errors) / scale, np.nan)
    half_width, is_inside = (np.full((len(COVERAGES), *errors.shape), np.nan) for _ in range(2))
    held = np.full((len(COVERAGES), len(errors), level.max() + 1), np.nan)  # share of outcomes inside
    least = np.broadcast_to(np.nan_to_num(least), (len(COVERAGES), len(errors), errors.shape[2]))
    members = [np.flatnonzero(level == number) for number in range(level.max() + 1)]
    for at in range(len(errors)):
        past = known(at, last_week)
        if past.stop - past.start < LEAST_ORIGINS:
            continue
        half_width[:, at] = 0
        every = _sorted(scaled[past])
        for number, nodes in enumerate(members):
            own = _sorted(scaled[past][..., nodes])
            if not len(own):
                continue
            quantiles = [_quantile(*pair, last_week) for pair in zip(COVERAGES, held[:, past, number], strict=True)]
            blocks = (past.stop - past.start) / last_week * len(nodes)
            inner, outer = (
                (blocks * _at(own, quantile) + POOLED_BLOCKS * _at(every, quantile)) / (blocks + POOLED_BLOCKS)
                for quantile in quantiles
            )
            multiplier = np.array([inner, max(outer, inner * LEAST_RATIO)])[:, None, None]
            wide = np.maximum(multiplier * scale[at][:, nodes], least[:, at][:, None, nodes])
            half_width[:, at][..., nodes] = wide
            outcome = np.where(scale[at][:, nodes] > 0, np.abs(errors[at][:, nodes]), np.nan)
            is_inside[:, at][..., nodes] = np.where(np.isnan(outcome), np.nan, outcome <= wide)
            if np.isfinite(outcome[-1]).any():
                held[:, at, number] = np.nanmean(is_inside[:, at][..., nodes], axis=(1, 2))
    return Intervals(half_width, is_inside)


def _scales(errors: np.ndarray, spread: np.ndarray, last_week: int) -> np.ndarray:
    """(origins, nodes) root mean squares of the errors known at each origin, drawn towards the spread."""
    squares = (errors**2).mean(axis=1)
    sums = np.vstack([np.zeros_like(squares[:1]), np.nancumsum(squares, axis=0)])
    past = [known(at, last_week) for at in range(len(errors))]
    start, stop = (np.array([getattr(origins, end) for origins in past]) for end in ("start", "stop"))
    total = PRIOR_ORIGINS * spread**2 + sums[stop] - sums[start]
    return np.where(spread > 0, np.sqrt(total / (PRIOR_ORIGINS + stop - start)[:, None]), 0)


def _sorted(scaled: np.ndarray) -> np.ndarray:
    return np.sort(scaled[np.isfinite(scaled)])


def _at(ordered: np.ndarray, quantile: float) -> float:
    """A quantile of values in order, as `numpy.quantile` gives it, which would order them again."""
    place = quantile * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return float(ordered[below] + (place - below) * (ordered[above] - ordered[below]))


def _quantile(coverage: float, held: np.ndarray, last_week: int) -> float:
    """The quantile to take, after past intervals held these shares of outcomes; nan where there was no interval."""
    missing = np.nansum(coverage - held) / last_week  # intervals of neighbouring origins miss the same outcomes
    least, most = (1 - misses * (1 - coverage) for misses in MISSES)
    return float(np.clip(coverage + GAIN * missing, least, most))
