"""How good a score is: discrimination, calibration and lift, with intervals from a bootstrap over customers.

Every figure is computed on *tie groups* (rows of equal score), so ties count as a fair draw, and a bootstrap replicate
costs one pass over the sorted groups: scikit-learn's own figures, to which these are equal, would sort each time.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

TOP_SHARES = (0.01, 0.05, 0.10)
RANKING = ("roc_auc", "pr_auc", *(f"{kind}_{share:.0%}" for share in TOP_SHARES for kind in ("precision", "lift")))
PROBABILISTIC = ("brier", "log_loss", "calibration_slope", "calibration_error")
REPLICATES = 200
BINS = 10


@dataclass(frozen=True)
class Interval:
    """A figure and the central 95 % of its bootstrap replicates."""

    value: float
    low: float
    high: float


def figures(
    label: np.ndarray,
    ranking: np.ndarray,
    probability: np.ndarray | None,
    weights: np.ndarray,
    shares: Sequence[float] = TOP_SHARES,
) -> dict[str, Interval]:
    """Every figure of one score on one set of rows.

    Parameters
    ----------
    label : (n,) array of 0 and 1
    ranking : (n,) or (repeats, n) array
        The higher, the more likely; no missing values. Figures of repeated cross-validation are means over repeats.
    probability : array of the same shape, or None
        None for a score that ranks but states no probability.
    weights : (1 + replicates, n) array
        How often each row is drawn; the first line is all ones. See `bootstrap_weights`.
    shares : sequence of float
        Of the list, that the bank can call.

    Returns
    -------
    dict of str to Interval
        Keys ``RANKING``, and ``PROBABILISTIC`` where there is a probability.
    """
    repeats = [
        _lines(label, order, None if probability is None else stated, weights, shares)
        for order, stated in zip(
            np.atleast_2d(ranking), np.atleast_2d(ranking if probability is None else probability), strict=True
        )
    ]
    return {
        name: interval([np.mean([lines[line][name] for lines in repeats]) for line in range(len(weights))])
        for name in repeats[0][0]
    }


def _lines(label, ranking, probability, weights, shares):
    lines = [_ranking_figures(*line, shares) for line in _grouped(label, ranking, weights)]
    if probability is not None:
        clipped = np.clip(probability, 1e-6, 1 - 1e-6)
        bins = _bins_of_equal_size(clipped)
        for line, (score, weight, positive) in zip(lines, _grouped(label, clipped, weights), strict=True):
            line |= _probabilistic_figures(score, weight, positive, bins)
    return lines


def auc(label: np.ndarray, ranking: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The area under the ROC curve, once per line of ``weights``."""
    return np.array([_auc(weight, positive) for _, weight, positive in _grouped(label, ranking, weights)])


def calibration_curve(label: np.ndarray, probability: np.ndarray) -> list[dict[str, float]]:
    """Expected against observed share of positives, with Wilson's 95 % interval, in ten bins of equal size."""
    group = np.searchsorted(_bins_of_equal_size(probability), probability)
    return [_bin(label[group == number], probability[group == number]) for number in np.unique(group)]


def _bin(label, probability):
    rows, observed, z = len(label), label.mean(), 1.96
    centre = (observed + z**2 / (2 * rows)) / (1 + z**2 / rows)
    reach = z / (1 + z**2 / rows) * np.sqrt(observed * (1 - observed) / rows + z**2 / (4 * rows**2))
    told = {"rows": rows, "expected": probability.mean(), "observed": observed, "low": centre - reach}
    return {name: float(value) for name, value in (told | {"high": centre + reach}).items()}


def interval(values: Sequence[float] | np.ndarray) -> Interval:
    """The first value, and the central 95 % of the others; those that are not finite do not count."""
    value, *replicates = map(float, values)
    low, high = np.nanquantile(replicates, [0.025, 0.975]) if np.isfinite(value) else (np.nan, np.nan)
    return Interval(value, float(low), float(high))


def bootstrap_weights(customer: np.ndarray, replicates: int = REPLICATES, seed: int = 0) -> np.ndarray:
    """How often each row is drawn when customers, with all their rows, are drawn with replacement.

    Returns
    -------
    (1 + replicates, n) array of int
        The first line is all ones: the rows as they are.
    """
    codes = np.unique(customer, return_inverse=True)[1]
    customers = codes.max() + 1
    random = np.random.default_rng(seed)
    draws = (np.bincount(random.integers(customers, size=customers), minlength=customers) for _ in range(replicates))
    return np.stack([np.ones(len(codes), dtype=np.uint16), *(draw.astype(np.uint16)[codes] for draw in draws)])


def _grouped(label, score, weights):
    """Per line of weights: (score, weight, positive weight) of each tie group, from the highest score down."""
    values, group = np.unique(-score, return_inverse=True)
    for line in weights:
        weight = np.bincount(group, weights=line, minlength=len(values))
        yield -values, weight, np.bincount(group, weights=line * label, minlength=len(values))


def _ranking_figures(_, weight, positive, shares):
    above, hits = np.cumsum(weight), np.cumsum(positive)
    precision = np.divide(hits, above, out=np.zeros_like(hits), where=above > 0)
    base_rate = hits[-1] / above[-1]
    figures = {"roc_auc": _auc(weight, positive), "pr_auc": float(np.sum(precision * positive) / hits[-1])}
    for share in shares:
        taken = share * above[-1]
        top = float(np.interp(taken, np.r_[0, above], np.r_[0, hits]) / taken)
        figures |= {f"precision_{share:.0%}": top, f"lift_{share:.0%}": top / base_rate}
    return figures


def _auc(weight, positive):
    negative = weight - positive
    below = negative.sum() - np.cumsum(negative) + negative / 2
    pairs = positive.sum() * negative.sum()
    return float(np.sum(positive * below) / pairs) if pairs else np.nan  # a replicate may draw one class only


def _probabilistic_figures(probability, weight, positive, bins):
    total = weight.sum()
    group = np.searchsorted(bins, probability)
    expected = np.bincount(group, weights=weight * probability, minlength=BINS)
    observed = np.bincount(group, weights=positive, minlength=BINS)
    return {
        "brier": float(np.sum(positive * (1 - 2 * probability) + weight * probability**2) / total),
        "log_loss": float(
            -np.sum(positive * np.log(probability) + (weight - positive) * np.log1p(-probability)) / total
        ),
        "calibration_slope": _calibration_slope(logit(probability), weight, positive),
        "calibration_error": float(np.abs(expected - observed).sum() / total),
    }


def _bins_of_equal_size(probability):
    """The inner edges of the bins; fixed on the rows as they are, so replicates are compared bin by bin."""
    return np.quantile(probability, np.linspace(0, 1, BINS + 1)[1:-1])


def _calibration_slope(log_odds, weight, positive, steps=25):
    """Slope of a logistic regression of the outcome on the predicted log odds, by Newton's method; 1 is calibrated."""
    if np.ptp(log_odds) == 0:
        return float("nan")
    design = np.stack([np.ones_like(log_odds), log_odds])
    coefficients = np.zeros(2)  # from the prediction itself (0, 1) an overconfident one diverges
    for _ in range(steps):
        fitted = expit(coefficients @ design)
        gradient = design @ (positive - weight * fitted)
        hessian = (design * (weight * fitted * (1 - fitted))) @ design.T
        step = np.linalg.lstsq(hessian, gradient)[0]
        coefficients = coefficients + step
        if np.abs(step).max() < 1e-8:
            break
    return float(coefficients[1])
