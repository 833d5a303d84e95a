"""Drift: how far rows and scores are from those that a model was trained on."""

from collections.abc import Mapping, Sequence
from typing import TypedDict

import numpy as np

SCORE = "(score)"  # in place of a feature's name
BINS = 10
WATCH, ALERT = 0.1, 0.25  # population stability index: the usual limits
MISSING_RISE = 0.05  # of the rows
LEAST_SHARE = 1e-4  # an empty bin counts as this, so that the index stays finite


class Distribution(TypedDict):
    """Inner edges of the bins of a column; the share of each bin and, at the end, of missing values."""

    edges: list[float]
    shares: list[float]


class Drift(TypedDict):
    """How far a feature, or the score, is from its distribution in training."""

    feature: str
    stability_index: float  # population stability index
    missing_rise: float  # share of missing values less that in training
    verdict: str  # stable, watch or alert


def reference_distributions(values: np.ndarray, columns: Sequence[str], margin: np.ndarray) -> dict[str, Distribution]:
    """The distributions that later rows are compared with, by feature and of the score.

    Parameters
    ----------
    values : (n, columns) array
    margin : (n,) array
    """
    features = {name: _distribution(values[:, position]) for position, name in enumerate(columns)}
    return features | {SCORE: _distribution(margin)}


def feature_drift(
    reference: Mapping[str, Distribution], columns: Sequence[str], values: np.ndarray, margin: np.ndarray
) -> list[Drift]:
    """The drift of every feature and of the score, the largest first.

    Parameters
    ----------
    reference : dict of str to Distribution
        What the model's card holds; see `reference_distributions`.
    values : (n, columns) array
    margin : (n,) array
    """
    lines = [_drift(name, reference[name], values[:, position]) for position, name in enumerate(columns)]
    return sorted([*lines, _drift(SCORE, reference[SCORE], margin)], key=lambda line: -line["stability_index"])


def verdict(stability_index: float, missing_rise: float) -> str:
    """``stable``, ``watch`` or ``alert``.

    >>> verdict(0.02, 0.0), verdict(0.15, 0.0), verdict(0.02, 0.2)
    ('stable', 'watch', 'alert')
    """
    if stability_index > ALERT or missing_rise > MISSING_RISE:
        return "alert"
    return "watch" if stability_index > WATCH else "stable"


def _drift(feature: str, reference: Distribution, column: np.ndarray) -> Drift:
    expected = np.array(reference["shares"])
    observed = _shares(column, np.array(reference["edges"]))
    before, now = np.maximum(expected, LEAST_SHARE), np.maximum(observed, LEAST_SHARE)
    stability_index = float(np.sum((now - before) * np.log(now / before)))
    missing_rise = float(observed[-1] - expected[-1])
    return {
        "feature": feature,
        "stability_index": stability_index,
        "missing_rise": missing_rise,
        "verdict": verdict(stability_index, missing_rise),
    }


def _distribution(column: np.ndarray) -> Distribution:
    known = column[~np.isnan(column)].astype(float)
    edges = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1])) if len(known) else np.empty(0)
    return {"edges": edges.tolist(), "shares": _shares(column, edges).tolist()}


def _shares(column: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Of each bin, and at the end of missing values."""
    missing = np.isnan(column)
    counts = np.bincount(np.searchsorted(edges, column[~missing], side="left"), minlength=len(edges) + 1)
    return np.append(counts, missing.sum()) / max(1, len(column))
