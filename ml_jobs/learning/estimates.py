"""What a score is worth before its outcomes are known, estimated from its own calibrated probabilities.

Confidence-based performance estimation: if the probabilities are right, every figure that outcomes would give has an
expected value that needs none. What it cannot see is a change of the outcome itself at the same features; so each
estimate is later held against what came.
"""

import numpy as np

from ml_jobs.learning.calibration import Z
from ml_jobs.learning.metrics import Interval


def expected_auc(probability: np.ndarray) -> float:
    """The area under the ROC curve that calibrated probabilities lead to expect; nan where nobody can differ.

    Of two rows one has the outcome and the other has not with ``p (1 - q)``; the pair counts as ranked right if
    ``p > q``, and half if they are equal.

    Parameters
    ----------
    probability : (n,) array

    Examples
    --------
    >>> expected_auc(np.array([0.0, 1.0]))
    1.0
    >>> expected_auc(np.full(10, 0.3))
    0.5
    """
    stated, group = np.unique(probability, return_inverse=True)
    rows = np.bincount(group)
    outcome, none = rows * stated, rows * (1 - stated)
    itself = rows * stated * (1 - stated)  # a row is no pair
    below = np.cumsum(none) - none
    pairs = outcome.sum() * none.sum() - itself.sum()
    right = outcome @ below + (outcome @ none - itself.sum()) / 2
    return float(right / pairs) if pairs > 0 else float("nan")


def auc_interval(area: float, positives: int, negatives: int) -> Interval:
    """The area with its 95 % interval by Hanley and McNeil (1982).

    >>> round(auc_interval(0.8, 50, 950).low, 3)
    0.725
    """
    first, second = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (positives - 1) * (first - area**2) + (negatives - 1) * (second - area**2)
    reach = Z * np.sqrt(variance / (positives * negatives))
    return Interval(area, float(max(0.0, area - reach)), float(min(1.0, area + reach)))
