"""Target leakage: features that no score can know on its as-of date, detected by how well each predicts alone.

A *leak* separates positives from negatives almost by itself (ROC AUC above 0.95, up or down, by value, by level or by
being missing). A *suspect* is strong and has the name of something recorded after the outcome: the length of the call
that sold the deposit, the recovery of a loan. Neither counts in the headline figures; both are reported by name.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import rankdata

LEAK = 0.95  # ROC AUC of the feature alone
ONE_SIDED = 1.645  # standard deviations
SUSPECT = 0.75  # likewise, where the name says that it was recorded after the outcome
AFTERWARDS = {
    *("duration", "recovery", "recoveries", "recovered", "collection", "collections", "chargeoff", "settlement"),
    *("complain", "complains", "complaint", "complaints", "closed", "closing", "closure", "cancelled", "canceled"),
    *("cancellation", "termination", "terminated", "exited", "exit", "attrited", "attrition", "churned", "classifier"),
    *("predicted", "prediction", "posterior", "pymnt", "prncp", "writeoff", "outcome"),
}
ROWS = 50_000  # at most, evenly spread
BINS = 50
FOLDS = 5
Sign = Literal[-1, 1]
PRIOR = 20  # rows at the overall rate that are added to each bin


@dataclass(frozen=True)
class Suspicion:
    """A feature, and how well it separates positives from negatives alone."""

    feature: str
    roc_auc: float
    why: str

    def __str__(self) -> str:
        return f"{self.feature} ({self.why}; ROC AUC alone {self.roc_auc:.3f})"


def single_feature_aucs(values: np.ndarray, label: np.ndarray, source: Sequence[str]) -> dict[str, float]:
    """The ROC AUC of every feature alone, the better of both directions.

    By value, by being missing, and by the rate of its bins or levels in other folds, which shows what is not monotone.

    Parameters
    ----------
    values : (n, encoded) array
    label : (n,) array of 0 and 1
    source : sequence of str
        The feature behind each encoded column; several columns are the levels of one.
    """
    spread = slice(None, None, -(-len(label) // ROWS))
    values, label, feature = values[spread], label[spread], np.array(source)
    fold = np.arange(len(label)) % FOLDS
    return {name: _single_auc(values[:, feature == name], label, fold) for name in dict.fromkeys(source)}


def find_leakage(
    aucs: dict[str, float], vouched: Sequence[str] = (), label: np.ndarray | None = None
) -> tuple[list[Suspicion], list[Suspicion]]:
    """Leaks and suspects among the features, the strongest first; a feature that the task vouches for is neither.

    Parameters
    ----------
    label : (n,) array of 0 and 1, optional
        Of the rows: with few of them an honest feature reaches 0.95 by chance, so a leak lies above it beyond that.
    """
    ordered = sorted(((auc, name) for name, auc in aucs.items() if name not in vouched), reverse=True)
    found = [name for auc, name in ordered if auc - (0 if label is None else _chance(auc, label)) > LEAK]
    leaks = [Suspicion(name, aucs[name], "it gives the outcome away") for name in found]
    suspects = [
        Suspicion(name, auc, "strong, and named like something known only after the outcome")
        for auc, name in ordered
        if auc >= SUSPECT and name not in found and is_named_afterwards(name)
    ]
    return leaks, suspects


def _chance(auc: float, label: np.ndarray) -> float:
    """How far below its ROC AUC a feature's true one may lie, at 95 % (Hanley and McNeil 1982)."""
    rows = min(len(label), ROWS)
    positives = label.mean() * rows
    negatives = rows - positives
    of_positives, of_negatives = auc / (2 - auc) - auc**2, 2 * auc**2 / (1 + auc) - auc**2
    variance = auc * (1 - auc) + (positives - 1) * of_positives + (negatives - 1) * of_negatives
    return ONE_SIDED * np.sqrt(variance / (positives * negatives))


def is_named_afterwards(name: str) -> bool:
    """Whether a column's name says that it was recorded when the outcome was known.

    >>> is_named_afterwards("ClosingDate"), is_named_afterwards("balance")
    (True, False)
    """
    words = re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
    return not AFTERWARDS.isdisjoint(re.split(r"[^a-z]+", words))


def best_rule(values: np.ndarray, label: np.ndarray, columns: Sequence[str]) -> tuple[str, Sign]:
    """The column that ranks best alone, and its sign; missing values come last."""
    best: tuple[float, str, Sign] = (0.0, columns[0], 1)
    signs: tuple[Sign, Sign] = (1, -1)
    for position, name in enumerate(columns):
        for sign in signs:
            best = max(best, (_auc(_missing_last(sign * values[:, position]), label), name, sign))
    return best[1:]


def _single_auc(columns: np.ndarray, label: np.ndarray, fold: np.ndarray) -> float:
    if columns.shape[1] > 1:  # the levels of a category
        return _auc(_rates(columns @ np.arange(1, columns.shape[1] + 1), label, fold), label)
    column = columns[:, 0]
    missing = np.isnan(column)
    edges = np.unique(np.quantile(column[~missing], np.linspace(0, 1, BINS + 1)[1:-1])) if (~missing).any() else []
    bins = np.where(missing, -1, np.searchsorted(edges, column, side="right"))
    directed = [_auc(score, label) for score in (_missing_last(column), -_missing_last(-column))]
    return max(*directed, *(1 - auc for auc in directed), _auc(_rates(bins, label, fold), label))


def _rates(level: np.ndarray, label: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """The rate of positives at each row's level in the other folds."""
    codes = np.unique(level, return_inverse=True)[1]
    rates = np.empty(len(label))
    for held_out in range(FOLDS):
        others = fold != held_out
        count = np.bincount(codes[others], minlength=codes.max() + 1)
        hits = np.bincount(codes[others], weights=label[others], minlength=codes.max() + 1)
        rate = (hits + PRIOR * label[others].mean()) / (count + PRIOR)
        rates[~others] = rate[codes[~others]] - label[others].mean()
    return rates


def _missing_last(column: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(column), -np.inf, column)


def _auc(score: np.ndarray, label: np.ndarray) -> float:
    positives = int(label.sum())
    ranks = rankdata(score)[label == 1].sum()
    return float((ranks - positives * (positives + 1) / 2) / (positives * (len(label) - positives)))
