"""How good a score is: discrimination, calibration and lift, with intervals from a bootstrap over customers.

Every metric is computed on *tie groups* (rows of equal score): ties count as a fair draw, and a bootstrap replicate
costs one pass over the sorted groups. The values equal those of scikit-learn, which sorts once per replicate.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TypedDict

import numpy as np
from scipy.special import expit, logit

TOP_SHARES = (0.01, 0.05, 0.10)
RANKING = ("roc_auc", "pr_auc", *(f"{kind}_{share:.0%}" for share in TOP_SHARES for kind in ("precision", "lift")))
PROBABILISTIC = ("brier", "log_loss", "calibration_slope", "calibration_error")
REPLICATES = 200
BINS = 10
BLOCKS = 50_000  # groups of neighbouring scores, at most, by which replicates are counted; figures are exact
SHARE = (0.0, 1.0)  # the range of a share
RANGES = {"lift": (0.0, np.inf), "log": (0.0, np.inf), "calibration_slope": (-np.inf, np.inf)}  # the others are shares
LEAST_PROBABILITY = 1e-6  # a probability nearer to 0 or 1 counts as this: no single row costs an infinite loss


@dataclass(frozen=True)
class Interval:
    """A metric and its 95 % interval, which holds it; see `interval`."""

    value: float
    low: float
    high: float


class Figure(TypedDict):
    """An `Interval` as cards and reports hold it."""

    value: float
    low: float
    high: float


def score_metrics(
    label: np.ndarray,
    ranking: np.ndarray,
    probability: np.ndarray | None,
    weights: np.ndarray,
    shares: Sequence[float] = TOP_SHARES,
) -> dict[str, Interval]:
    """Every metric of one score on one set of rows.

    Parameters
    ----------
    label : (n,) array of 0 and 1
    ranking : (n,) or (repeats, n) array
        The higher, the more likely; no missing values. Metrics of repeated cross-validation are means over repeats.
    probability : array of the same shape, or None
        None for a score that ranks but states no probability.
    weights : (1 + replicates, n) array
        How often each row is drawn; the first line is all ones. See `bootstrap_weights`.
    shares : sequence of float
        Of the list, which the bank can call.

    Returns
    -------
    dict of str to Interval
        Keys ``RANKING``, and ``PROBABILISTIC`` where there is a probability.

    Examples
    --------
    >>> label, score = np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8])
    >>> score_metrics(label, score, None, np.ones((2, 4)))["roc_auc"].value
    0.75
    """
    repeats = [
        _replicates(label, order, None if probability is None else stated, weights, shares)
        for order, stated in zip(
            np.atleast_2d(ranking), np.atleast_2d(ranking if probability is None else probability), strict=True
        )
    ]
    return {
        name: interval(
            [float(np.mean([replicates[at][name] for replicates in repeats])) for at in range(len(weights))],
            *RANGES.get(name, RANGES.get(name.split("_")[0], SHARE)),
        )
        for name in repeats[0][0]
    }


def _replicates(
    label: np.ndarray, ranking: np.ndarray, probability: np.ndarray | None, weights: np.ndarray, shares: Sequence[float]
) -> list[dict[str, float]]:
    """Every metric, once per line of ``weights``: of the rows as they are exactly, of replicates by `BLOCKS`."""
    start = np.zeros(2)  # from the prediction itself (0, 1) an overconfident slope diverges
    replicates: list[dict[str, float]] = []
    clipped = None if probability is None else np.clip(probability, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    for lines, most in ((weights[:1], len(label)), (weights[1:], BLOCKS)):
        found = [
            _ranking_metrics(weight, positive, shares)
            for weight, positive in _TieGroups(label, ranking, most).of(lines)
        ]
        if clipped is not None:
            groups = _TieGroups(label, clipped, most)
            measure = _ProbabilisticMetrics(groups.scores, _bins_of_equal_size(clipped), start)
            for replicate, (weight, positive) in zip(found, groups.of(lines), strict=True):
                replicate.update(measure(weight, positive))
            start = measure.coefficients
        replicates += found
    return replicates


def log_losses(label: np.ndarray | int, probability: np.ndarray) -> np.ndarray:
    """Log loss of every row, with probabilities kept `LEAST_PROBABILITY` away from 0 and 1.

    >>> log_losses(np.array([1, 0]), np.array([0.5, 0.5])).round(6).tolist()
    [0.693147, 0.693147]
    """
    clipped = np.clip(probability, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    return np.where(label == 1, -np.log(clipped), -np.log1p(-clipped))


def log_losses_of_margin(label: np.ndarray, margin: np.ndarray) -> np.ndarray:
    """Log loss of every row from its log odds, of which none is too large."""
    return np.logaddexp(0, margin) - margin * label


def auc(label: np.ndarray, ranking: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The area under the ROC curve, once per line of ``weights``."""
    exact, replicates = _TieGroups(label, ranking, len(label)), _TieGroups(label, ranking, BLOCKS)
    return np.array(
        [
            _auc(weight, positive)
            for groups, lines in ((exact, weights[:1]), (replicates, weights[1:]))
            for weight, positive in groups.of(lines)
        ]
    )


def interval(values: Sequence[float] | np.ndarray, least: float = -np.inf, most: float = np.inf) -> Interval:
    """The first value, and its 95 % interval from the others, its bootstrap replicates, corrected for their bias.

    The central 95 % of the replicates would do if the figure were unbiased. A figure that resampling pushes to one side
    (a calibration error is never below 0, so noise raises it) was itself pushed there by the sample, so its replicates
    are off twice, and may all lie on one side of it. They are moved back by twice the bias that they show (Efron's bias
    correction, for a shift), and the interval is widened to hold the figure where it still does not.

    Parameters
    ----------
    values : sequence of float
        The figure, then its replicates; those that are not finite do not count.
    least, most : float
        What the figure can be.

    Examples
    --------
    >>> interval([50.0, *range(101)])
    Interval(value=50.0, low=2.5, high=97.5)

    All replicates of a calibration error may lie above it:

    >>> above = interval([0.010, *np.linspace(0.012, 0.020, 101)], *SHARE)
    >>> round(above.low, 4), above.high
    (0.0002, 0.01)
    """
    value, *replicates = map(float, values)
    finite = np.array(replicates)[np.isfinite(replicates)]
    if not np.isfinite(value) or not len(finite):
        return Interval(value, np.nan, np.nan)
    bias = np.median(finite) - value
    low, high = np.quantile(finite, [0.025, 0.975]) - 2 * bias
    return Interval(value, float(max(least, min(low, value))), float(min(most, max(high, value))))


def figure(values: Sequence[float] | np.ndarray, least: float = -np.inf, most: float = np.inf) -> Figure:
    """`interval`, as cards and reports hold it."""
    return Figure(**asdict(interval(values, least, most)))


def weighted_means(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The mean of ``values``, once per line of ``weights``."""
    # Line by line: a product of the whole matrix would copy it in double precision.
    return np.array([line @ values / line.sum() for line in weights])


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


class _TieGroups:
    """Rows of equal score, from the highest down, sorted once for all replicates; of very many, neighbours are one."""

    def __init__(self, label: np.ndarray, score: np.ndarray, most: int) -> None:
        self.order = np.argsort(-score, kind="stable")
        ordered = score[self.order]
        starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
        self.starts = starts[:: -(-len(starts) // most)]
        self.scores = np.add.reduceat(ordered, self.starts) / np.diff(np.r_[self.starts, len(ordered)])
        if len(self.starts) == len(starts):
            self.scores = ordered[starts]
        self.label = label[self.order].astype(bool)

    def of(self, weights: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Per line of weights: (weight, positive weight) of each group."""
        for line in weights:
            weight = line[self.order]
            positive = weight * self.label
            if len(self.starts) < len(self.order):
                weight = np.add.reduceat(weight, self.starts, dtype=np.float64)
                positive = np.add.reduceat(positive, self.starts, dtype=np.float64)
            yield weight.astype(float, copy=False), positive.astype(float, copy=False)


def _ranking_metrics(weight: np.ndarray, positive: np.ndarray, shares: Sequence[float]) -> dict[str, float]:
    above, hits = np.cumsum(weight), np.cumsum(positive)
    # Before the first row is drawn there are no hits either, so that 1 stands for 0 rows.
    precision = hits / np.maximum(above, 1)
    base_rate = hits[-1] / above[-1]
    metrics = {"roc_auc": _auc(weight, positive), "pr_auc": float(precision @ positive / hits[-1])}
    for share in shares:
        taken = share * above[-1]
        top = _hits_within(taken, above, hits) / taken
        metrics |= {f"precision_{share:.0%}": top, f"lift_{share:.0%}": top / base_rate}
    return metrics


def _hits_within(taken: float, above: np.ndarray, hits: np.ndarray) -> float:
    """Hits among the first ``taken`` rows; a group of ties counts by its share."""
    at = int(np.searchsorted(above, taken))
    rows, found = (above[at - 1], hits[at - 1]) if at else (0.0, 0.0)
    return float(found + (hits[at] - found) * (taken - rows) / (above[at] - rows))


def _auc(weight: np.ndarray, positive: np.ndarray) -> float:
    negative = weight - positive
    below = negative.sum() - np.cumsum(negative) + negative / 2
    pairs = positive.sum() * negative.sum()
    return float(positive @ below / pairs) if pairs else np.nan  # a replicate may draw one class only


class _ProbabilisticMetrics:
    """Metrics of stated probabilities, (groups,) from the highest down; what all replicates share is worked out once.

    ``bins`` are the inner edges of the bins of equal size, for the calibration error. ``start`` is where the
    calibration slope is looked for first: that of the rows as they are, near which every replicate's lies.
    """

    def __init__(self, probability: np.ndarray, bins: np.ndarray, start: np.ndarray) -> None:
        self.probability, self.log_odds = probability, logit(probability)
        self.losses = log_losses(1, probability), log_losses(0, probability)
        self.squares = 1 - 2 * probability, probability**2
        of_bins = np.searchsorted(bins, probability)
        self.bin_starts = np.flatnonzero(np.r_[True, of_bins[1:] != of_bins[:-1]])
        self.coefficients = start

    def __call__(self, weight: np.ndarray, positive: np.ndarray) -> dict[str, float]:
        total, negative = weight.sum(), weight - positive
        expected = np.add.reduceat(weight * self.probability, self.bin_starts)
        observed = np.add.reduceat(positive, self.bin_starts)
        fitted = np.full(2, np.nan)
        if np.ptp(self.log_odds):
            fitted = _calibration(self.log_odds, weight, positive, self.coefficients)
            if not self.coefficients.any():
                self.coefficients = fitted
        return {
            "brier": float((positive @ self.squares[0] + weight @ self.squares[1]) / total),
            "log_loss": float((positive @ self.losses[0] + negative @ self.losses[1]) / total),
            "calibration_slope": float(fitted[1]),
            "calibration_error": float(np.abs(expected - observed).sum() / total),
        }


def _bins_of_equal_size(probability: np.ndarray) -> np.ndarray:
    """The inner edges of the bins; fixed on the rows as they are, so replicates are compared bin by bin."""
    return np.quantile(probability, np.linspace(0, 1, BINS + 1)[1:-1])


def _calibration(
    log_odds: np.ndarray, weight: np.ndarray, positive: np.ndarray, start: np.ndarray, steps: int = 25
) -> np.ndarray:
    """Logistic regression of the outcome on the predicted log odds, by Newton's method: (intercept, slope)."""
    design = np.stack([np.ones_like(log_odds), log_odds])
    coefficients = start
    for _ in range(steps):
        fitted = expit(coefficients @ design)
        gradient = design @ (positive - weight * fitted)
        hessian = (design * (weight * fitted * (1 - fitted))) @ design.T
        step = np.linalg.lstsq(hessian, gradient)[0]
        coefficients = coefficients + step
        if np.abs(step).max() < 1e-8:
            break
    return coefficients
