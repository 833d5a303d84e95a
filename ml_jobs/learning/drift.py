"""How far rows and scores are from what a model was trained on."""

from typing import Any

import numpy as np

SCORE = "(score)"  # stands in the place of a feature
BINS = 10
WATCH, ALERT = 0.1, 0.25  # population stability index: the usual limits
MISSING_RISE = 0.05  # of the rows
LEAST_SHARE = 1e-4  # an empty bin counts as this, so that the index stays finite


def reference(values: np.ndarray, columns: tuple[str, ...], margin: np.ndarray) -> dict[str, dict[str, list[float]]]:
    """What later rows are compared with: inner edges of ten bins, and the share of each bin and of missing values."""
    features = {name: _distribution(values[:, position]) for position, name in enumerate(columns)}
    return features | {SCORE: _distribution(margin)}


def drift(known: dict[str, list[float]], column: np.ndarray) -> dict[str, float]:
    """The population stability index of a column against its reference, and by how much more of it is missing."""
    edges, expected = np.array(known["edges"]), np.array(known["shares"])
    found = _shares(column, edges)
    floor = np.maximum(expected, LEAST_SHARE), np.maximum(found, LEAST_SHARE)
    return {
        "stability_index": float(np.sum((floor[1] - floor[0]) * np.log(floor[1] / floor[0]))),
        "missing_rise": float(found[-1] - expected[-1]),
    }


def watched(card: dict[str, Any], values: np.ndarray, margin: np.ndarray) -> list[dict[str, Any]]:
    """Every feature and the score against what the model was trained on, those that drifted most first.

    Parameters
    ----------
    card : dict
        Of the model; its ``reference`` is what the rows are compared with.
    values : (n, features) array
    margin : (n,) array
    """
    columns = {name: values[:, position] for position, name in enumerate(card["features"])} | {SCORE: margin}
    found = [{"feature": name, **drift(card["reference"][name], column)} for name, column in columns.items()]
    return [
        line | {"verdict": verdict(line["stability_index"], line["missing_rise"])}
        for line in sorted(found, key=lambda line: -line["stability_index"])
    ]


def verdict(stability_index: float, missing_rise: float) -> str:
    """``stable``, ``watch`` or ``alert``."""
    if stability_index > ALERT or missing_rise > MISSING_RISE:
        return "alert"
    return "watch" if stability_index > WATCH else "stable"


def _distribution(column: np.ndarray) -> dict[str, list[float]]:
    known = column[~np.isnan(column)].astype(float)
    edges = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1])) if len(known) else np.empty(0)
    return {"edges": edges.tolist(), "shares": _shares(column, edges).tolist()}


def _shares(column: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Of each bin, and at the end of missing values."""
    missing = np.isnan(column)
    counts = np.bincount(np.searchsorted(edges, column[~missing], side="left"), minlength=len(edges) + 1)
    return np.append(counts, missing.sum()) / max(1, len(column))
