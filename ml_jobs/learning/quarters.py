"""How far a quarter strays from what it was promised: the variance between quarters, beside that of the sample.

The interval of an observed share says how well this quarter's share is known. The next quarter has another one, since
season, market and news move all customers together. So a promise for a quarter to come is held against a prediction
interval of a random-effects model (Higgins, Thompson and Spiegelhalter 2009): the variance between quarters by the
method of moments (DerSimonian and Laird 1986), Student's t since quarters are few. On the log odds, a quarter's move is
what came less what was promised, over the sum of p (1 - p): one step of the score, which holds where nothing came, too.
"""

from typing import TypedDict

import numpy as np
from scipy.stats import norm, t

LEAST_QUARTERS = 3.0  # with fewer, Student's t is wider than any use
COVERAGE = 0.975  # one side of a central 95 % interval


class QuarterSpread(TypedDict):
    """How quarters differ from their promise, in log odds."""

    quarters: float  # how many that do not overlap
    deviation: float  # standard deviation between quarters, without the chance of the sample
    level_error: float  # standard error of the level, which the same quarters taught


def quarter_spread(label: np.ndarray, probability: np.ndarray, month: np.ndarray, step: int) -> QuarterSpread | None:
    """The variance between quarters of customers who were held out; None where there are too few quarters.

    Month-ends that are less than a horizon apart share outcomes. So only those that are ``step`` months apart are
    compared with each other; the moments of the ``step`` such series are pooled.

    Parameters
    ----------
    label : (n,) array of 0 and 1
    probability : (n,) array
        By models that have not seen the customer.
    month : (n,) array of int
        Number of the month; a customer has one row in each.
    step : int
        Months until the horizon has passed.
    """
    numbers, code = np.unique(month, return_inverse=True)
    quarters = (len(numbers) + step - 1) / step
    if quarters < LEAST_QUARTERS:
        return None
    information = np.bincount(code, weights=probability * (1 - probability))
    move = np.bincount(code, weights=label - probability) / information
    excess, share = 0.0, 0.0
    for phase in range(step):
        series = numbers % step == phase
        weight = information[series]
        if len(weight) < 2:
            continue
        mean = np.average(move[series], weights=weight)
        excess += float((weight * (move[series] - mean) ** 2).sum()) - (len(weight) - 1)
        share += float(weight.sum() - (weight**2).sum() / weight.sum())
    variance = max(0.0, excess / share)
    return QuarterSpread(
        quarters=float(quarters),
        deviation=float(np.sqrt(variance)),
        level_error=float(np.sqrt(step / information.sum())),
    )


def prediction_variance(spread: QuarterSpread) -> float:
    """Variance of the next quarter's log odds around its promise, so that 1.96 deviations reach as far as t's 2.5 %.

    >>> round(prediction_variance({"quarters": 4.0, "deviation": 0.0, "level_error": 0.1}), 4)
    0.01
    >>> round(prediction_variance({"quarters": 4.0, "deviation": 0.1, "level_error": 0.0}), 4)
    0.033
    """
    wider = t.ppf(COVERAGE, spread["quarters"] - 1) / norm.ppf(COVERAGE)
    between = spread["deviation"] ** 2 * (1 + 1 / spread["quarters"])
    return float(wider**2 * between + spread["level_error"] ** 2)
