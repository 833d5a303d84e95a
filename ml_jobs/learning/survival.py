"""When a customer leaves, not only whether: the probability of still being there after each month of the next year.

A customer of a month-end (a landmark) is followed over the later month-ends until he has no features any more, which
are those of customers with an open account, or until the data end. First a risk of leaving within a quarter is
learned; then the log odds of leaving in each month, of those who are still there, as a straight line in that risk and
in the logarithm of the months since the landmark, and in both together: old news counts less. What lies beyond the
months that were seen follows that line.
"""

from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from ml_jobs.errors import CannotScore
from ml_jobs.learning.classifier import FLAT, Candidate, learn_regression
from ml_jobs.learning.folds import parts
from ml_jobs.learning.metrics import auc, bootstrap_weights, interval
from ml_jobs.task_file import Task

MONTHS = 12
QUARTER = 3
DAYS_PER_MONTH = 365 / 12


@dataclass(frozen=True)
class Followed:
    """Customers at landmarks, and what became of them by the last month-end that was seen."""

    customer: np.ndarray  # (n,)
    values: np.ndarray  # (n, features)
    months: np.ndarray  # (n,) whole months until gone, or until the data end
    has_left: np.ndarray  # (n,) whether gone by then

    def take(self, rows: np.ndarray) -> "Followed":
        return Followed(self.customer[rows], self.values[rows], self.months[rows], self.has_left[rows])


def followed(customer: np.ndarray, month: np.ndarray, values: np.ndarray, present: pd.DataFrame, end: int) -> Followed:
    """Follow the customers of landmarks until month ``end``.

    Parameters
    ----------
    customer, month : (n,) arrays
        Landmarks; months are counted, one number each.
    values : (n, features) array
    present : DataFrame
        ``customer`` and ``month`` of everybody who was there, at every month-end.
    end : int
        The last month that is looked at; later ones are not known yet.
    """
    last = present[present["month"] <= end].groupby("customer")["month"].max()
    kept = month < end
    stays_until = last.reindex(customer[kept]).to_numpy()
    has_left = stays_until < end
    months = np.where(has_left, stays_until + 1, end) - month[kept]
    return Followed(customer[kept], values[kept], months.astype(int), has_left)


@dataclass(frozen=True)
class Staying:
    """The risk of leaving within a quarter, and the line of the monthly log odds in it."""

    risk: Candidate
    line: tuple[float, ...]  # intercept; slopes of the risk's margin, the logarithm of the months, and their product

    def stays(self, margin: np.ndarray, days: tuple[int, ...]) -> np.ndarray:
        """(n, days) array: the probability of still being there after so many days, for each margin of the risk."""
        return stay_rates(margin, self.line, days)


def stay_rates(margin: np.ndarray, line: tuple[float, ...], days: tuple[int, ...]) -> np.ndarray:
    """(n, days) array: the probability of staying so many days, up to a year; within a month the hazard is constant."""
    hazards = [
        expit(_design(margin, np.full(len(margin), month)) @ line[1:] + line[0]) for month in range(1, MONTHS + 1)
    ]
    kept = np.cumsum([np.zeros(len(margin)), *(np.log1p(-hazard) for hazard in hazards)], axis=0)
    at = np.minimum(np.array(days) / DAYS_PER_MONTH, MONTHS)
    whole = np.minimum(at.astype(int), MONTHS - 1)
    part = (at - whole)[:, None]
    return np.exp(kept[whole] * (1 - part) + kept[whole + 1] * part).T


def learn_staying(task: Task, rows: Followed) -> Staying:
    """Fit the risk and the line.

    Raises
    ------
    CannotScore
        If too few left, or nothing tells who does.
    """
    rows = rows.take(np.arange(len(rows.months))[:: -(-len(rows.months) // task.training_rows)])
    whole = rows.take(np.flatnonzero(rows.has_left | (rows.months >= QUARTER)))
    gone = (whole.has_left & (whole.months <= QUARTER)).astype(np.int8)
    if min(gone.sum(), len(gone) - gone.sum()) < task.minimum.positives:
        raise CannotScore(
            f"{gone.sum()} of {len(gone)} customers of the landmarks left within a quarter; "
            f"at least {task.minimum.positives} of each are needed (minimum.positives)"
        )
    risk, _ = learn_regression(task, whole.values, gone, parts(gone, whole.customer))
    if risk.says_nothing:
        raise CannotScore("nothing tells who leaves")
    margin = risk.margin(rows.values)
    seen = np.minimum(rows.months, MONTHS)
    row = np.repeat(np.arange(len(seen)), seen)
    month = np.arange(len(row)) - np.repeat(np.cumsum(seen) - seen, seen) + 1
    leaves = rows.has_left[row] & (month == rows.months[row])
    fitted = LogisticRegression(C=np.inf, max_iter=500).fit(_design(margin[row], month), leaves)
    if fitted.coef_[0, 0] <= FLAT:
        raise CannotScore("nothing tells who leaves")
    return Staying(risk, (float(fitted.intercept_[0]), *map(float, fitted.coef_[0])))


def staying_figures(model: Staying, rows: Followed, days: tuple[int, ...]) -> dict[str, object]:
    """What the model is worth on one landmark that it has not seen, whose customers were all followed as long.

    Returns
    -------
    dict
        ``rows``, ``left``, ``concordance`` (of two customers the one at higher risk leaves first; 0.5 is chance), and
        for every horizon that was followed ``days``, ``expected`` and ``observed`` share who stay; intervals are the
        central 95 % of a bootstrap over customers.
    """
    margin = model.risk.margin(rows.values)
    stays = model.stays(margin, days)
    weights = bootstrap_weights(rows.customer)
    horizons = []
    for place, horizon in enumerate(days):
        month = round(horizon / DAYS_PER_MONTH)
        if month <= rows.months.max():
            stayed = ~(rows.has_left & (rows.months <= month))
            observed = asdict(interval(weights @ stayed / weights.sum(axis=1)))
            horizons.append({"days": horizon, "expected": float(stays[:, place].mean()), "observed": observed})
    return {
        "rows": len(margin),
        "left": int(rows.has_left.sum()),
        "concordance": asdict(interval(concordance(rows.months, rows.has_left, margin, weights))),
        "horizons": horizons,
    }


def concordance(months: np.ndarray, has_left: np.ndarray, risk: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Harrell's C, once per line of ``weights``.

    Of the pairs of one who is gone in a month and one who is still there then, the share in which the first had the
    higher risk; equal risks count half. Equal to that of lifelines, which would sort for each replicate.
    """
    agreeing, pairs = np.zeros(len(weights)), np.zeros(len(weights))
    for month in np.unique(months[has_left]):
        goes = has_left & (months == month)
        at_risk = goes | (months > month) | (~has_left & (months == month))
        line = weights[:, at_risk]
        gone = line @ goes[at_risk].astype(float)
        count = gone * (line.sum(axis=1) - gone)
        agreeing += np.nan_to_num(auc(goes[at_risk].astype(np.int8), risk[at_risk], line)) * count
        pairs += count
    return agreeing / pairs


def _design(margin: np.ndarray, month: np.ndarray) -> np.ndarray:
    elapsed = np.log(month)
    return np.column_stack([margin, elapsed, margin * elapsed])
