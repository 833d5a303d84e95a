"""When a customer leaves, not only whether: a discrete-time hazard model of the months of the next year.

A customer of a month-end (a landmark) is followed over the later month-ends until they have no features, which only
customers with an open account have, or until the data end (they are censored then). First the risk of leaving within a
quarter is fitted; then the hazard, the log odds of leaving in a month given that the customer is still there, linear
in that risk, in the logarithm of the months since the landmark, and in their product: an old risk says less. Months
beyond the follow-up are extrapolated.
"""

from dataclasses import dataclass
from typing import TypedDict

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from ml_jobs.errors import CannotScore
from ml_jobs.learning.calibration import TOP, Promise, in_top_decile, promise
from ml_jobs.learning.classifier import FLAT, Candidate, fit_regression
from ml_jobs.learning.folds import validation_folds
from ml_jobs.learning.metrics import SHARE, Figure, auc, bootstrap_weights, figure, weighted_means
from ml_jobs.task_file import Task

MONTHS = 12
QUARTER = 3
DAYS_PER_MONTH = 365 / 12


@dataclass(frozen=True)
class FollowUp:
    """Customers at landmarks, and what became of them by the last month-end of the data."""

    customer: np.ndarray  # (n,)
    values: np.ndarray  # (n, features)
    months: np.ndarray  # (n,) whole months until the customer has left, or until the data end
    has_left: np.ndarray  # (n,) False where censored

    def take(self, rows: np.ndarray) -> "FollowUp":
        """Some of the rows."""
        return FollowUp(self.customer[rows], self.values[rows], self.months[rows], self.has_left[rows])


def follow_up(customer: np.ndarray, month: np.ndarray, values: np.ndarray, present: pd.DataFrame, end: int) -> FollowUp:
    """Follow the customers of landmarks until month ``end``.

    Parameters
    ----------
    customer, month : (n,) arrays
        Landmarks; a month is a number, and the next month the next number.
    values : (n, features) array
    present : DataFrame
        ``customer`` and ``month`` of every customer at every month-end.
    end : int
        The last month that counts; later ones are not known yet.

    Examples
    --------
    A customer of months 0 and 1 has left by month 2; another one is still there at the end.

    >>> present = pd.DataFrame({"customer": ["a", "a", "b", "b", "b"], "month": [0, 1, 0, 1, 2]})
    >>> rows = follow_up(np.array(["a", "b"]), np.zeros(2, int), np.zeros((2, 1)), present, end=2)
    >>> rows.months.tolist(), rows.has_left.tolist()
    ([2, 2], [True, False])
    """
    last = present[present["month"] <= end].groupby("customer")["month"].max()
    kept = month < end
    stays_until = last.reindex(customer[kept]).to_numpy()
    has_left = stays_until < end
    months = np.where(has_left, stays_until + 1, end) - month[kept]
    return FollowUp(customer[kept], values[kept], months.astype(int), has_left)


@dataclass(frozen=True)
class SurvivalModel:
    """The risk of leaving within a quarter, and the coefficients of the monthly hazard in it."""

    risk: Candidate
    coefficients: tuple[float, ...]  # intercept; of the risk's margin, the logarithm of the months, and their product

    def survival(self, margin: np.ndarray, days: tuple[int, ...]) -> np.ndarray:
        """(n, days) array: the probability of still being a customer after each number of days, by margin."""
        return survival_probabilities(margin, self.coefficients, days)


class HorizonFigures(TypedDict):
    """Share of the customers who stay for a number of days, as the model expects and as it was observed.

    ``top`` is of those who leave, in the tenth of the customers with the highest risk.
    """

    days: int
    expected: float
    observed: Figure
    top: Promise


class SurvivalFigures(TypedDict):
    """The backtest of a survival model on one landmark; ``concordance`` is 0.5 by chance."""

    rows: int
    left: int
    concordance: Figure
    horizons: list[HorizonFigures]


def survival_probabilities(margin: np.ndarray, coefficients: tuple[float, ...], days: tuple[int, ...]) -> np.ndarray:
    """The survival function: the probability of staying for each number of days, by margin of the risk.

    Within a month the hazard is constant.

    Parameters
    ----------
    margin : (n,) array
    coefficients : tuple of float
        See `SurvivalModel`.
    days : tuple of int
        At most a year.

    Returns
    -------
    (n, days) array

    Examples
    --------
    Without a slope the log odds of leaving are the intercept in every month:

    >>> survival_probabilities(np.zeros(1), (np.log(0.25), 0.0, 0.0, 0.0), (0, 365)).round(6).tolist()
    [[1.0, 0.068719]]
    """
    intercept, *slopes = coefficients
    hazards = [
        expit(_design(margin, np.full(len(margin), month)) @ slopes + intercept) for month in range(1, MONTHS + 1)
    ]
    log_survival = np.cumsum([np.zeros(len(margin)), *(np.log1p(-hazard) for hazard in hazards)], axis=0)
    at = np.minimum(np.array(days) / DAYS_PER_MONTH, MONTHS)
    whole = np.minimum(at.astype(int), MONTHS - 1)
    share = (at - whole)[:, None]
    return np.exp(log_survival[whole] * (1 - share) + log_survival[whole + 1] * share).T


def fit_survival(task: Task, rows: FollowUp) -> SurvivalModel:
    """Fit the risk and the hazard.

    Raises
    ------
    CannotScore
        If too few customers left, or no feature says who does.
    """
    rows = rows.take(np.arange(len(rows.months))[:: -(-len(rows.months) // task.training_rows)])
    followed = np.flatnonzero(rows.has_left | (rows.months >= QUARTER))
    whole = rows.take(followed)
    gone = (whole.has_left & (whole.months <= QUARTER)).astype(np.int8)
    if min(gone.sum(), len(gone) - gone.sum()) < task.minimum.positives:
        raise CannotScore(
            f"{gone.sum()} of {len(gone)} customers of the landmarks left within a quarter; "
            f"at least {task.minimum.positives} of each are needed (minimum.positives)"
        )
    folds = validation_folds(gone, whole.customer)
    risk, _, unseen = fit_regression(whole.values, gone, whole.customer, folds)
    if risk.is_uninformative:
        raise CannotScore("nothing tells who leaves")
    margin = risk.margin(rows.values)
    # Of the rows that it was fitted to, a risk is surer than it has reason to be: the hazard would be too steep.
    margin[followed[unseen.rows]] = unseen.margin
    seen = np.minimum(rows.months, MONTHS)
    row = np.repeat(np.arange(len(seen)), seen)
    month = np.arange(len(row)) - np.repeat(np.cumsum(seen) - seen, seen) + 1
    leaves = rows.has_left[row] & (month == rows.months[row])
    hazard = LogisticRegression(C=np.inf, max_iter=500).fit(_design(margin[row], month), leaves)
    if hazard.coef_[0, 0] <= FLAT:
        raise CannotScore("nothing tells who leaves")
    return SurvivalModel(risk, (float(hazard.intercept_[0]), *map(float, hazard.coef_[0])))


def evaluate_survival(model: SurvivalModel, rows: FollowUp, days: tuple[int, ...]) -> SurvivalFigures:
    """Backtest the model on one landmark that it has not seen, all of whose customers have the same follow-up.

    Returns
    -------
    SurvivalFigures
        Horizons beyond the follow-up are left out; intervals are the central 95 % of a bootstrap over customers.
    """
    margin = model.risk.margin(rows.values)
    survival = model.survival(margin, days)
    weights, top = bootstrap_weights(rows.customer), in_top_decile(margin)
    horizons: list[HorizonFigures] = []
    for place, horizon in enumerate(days):
        month = round(horizon / DAYS_PER_MONTH)
        if month <= rows.months.max():
            stayed = ~(rows.has_left & (rows.months <= month))
            observed = figure(weighted_means(weights, stayed), *SHARE)
            leaves = promise(TOP, ~stayed[top], 1 - survival[top, place], rows.customer[top])
            expected = float(survival[:, place].mean())
            horizons.append({"days": horizon, "expected": expected, "observed": observed, "top": leaves})
    return {
        "rows": len(margin),
        "left": int(rows.has_left.sum()),
        "concordance": figure(concordance(rows.months, rows.has_left, margin, weights), *SHARE),
        "horizons": horizons,
    }


def concordance(months: np.ndarray, has_left: np.ndarray, risk: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Harrell's C, once per line of ``weights``.

    Of the pairs of a customer who leaves in a month and one who stays through it, the share in which the first has the
    higher risk; equal risks count half. It equals that of lifelines, which would sort for each replicate.

    >>> months, has_left, risk = np.array([1, 2, 3]), np.array([True, True, False]), np.array([0.9, 0.2, 0.4])
    >>> concordance(months, has_left, risk, np.ones((1, 3))).round(3).tolist()
    [0.667]
    """
    agreeing, pairs = np.zeros(len(weights)), np.zeros(len(weights))
    for month in np.unique(months[has_left]):
        leaves = has_left & (months == month)
        at_risk = leaves | (months > month) | (~has_left & (months == month))
        drawn = weights[:, at_risk]
        leaving = drawn @ leaves[at_risk].astype(float)
        count = leaving * (drawn.sum(axis=1) - leaving)
        agreeing += np.nan_to_num(auc(leaves[at_risk].astype(np.int8), risk[at_risk], drawn)) * count
        pairs += count
    return agreeing / pairs


def _design(margin: np.ndarray, month: np.ndarray) -> np.ndarray:
    elapsed = np.log(month)
    return np.column_stack([margin, elapsed, margin * elapsed])
