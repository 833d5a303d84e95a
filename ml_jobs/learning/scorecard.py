"""A scorecard: points per band of a feature, which add up, and never fall where a feature says more risk.

It is boosted trees of one split each, with a direction per feature: such a model is a sum of steps, one function per
feature, so a table of points says all of it. Points are scaled as scorecards are: 20 points double the odds of a good
outcome, and 600 points stand for odds of 50 to 1 (Siddiqi, Intelligent Credit Scoring, 2017). The points of a band are
rounded, so their sum differs from the model by at most half a point per feature. No value never earns more points than
the best band that there is: nobody is safer for not being known.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from itertools import pairwise
from math import log
from typing import NotRequired, TypedDict

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from lakehouse.language import Voice
from ml_jobs.learning.classifier import Candidate, Unseen, fit_trees
from ml_jobs.learning.folds import Fold
from ml_jobs.task_file import Task

SCORECARD, UNBOUND = "scorecard", "scorecard_unbound"
BANDS = 8  # of a feature, at most
POINTS_PER_LOG_ODDS = 20 / log(2)
POINTS, ODDS = 600, 50.0


class Band(TypedDict):
    """A band of a feature, above ``low`` up to ``high`` (None: no bound), and its points; the last has no value."""

    low: float | None
    high: float | None
    points: int
    is_known: NotRequired[bool]  # absent on cards of older models


class Points(TypedDict):
    """The whole table: points that everybody has, and the bands of each feature, the riskiest of which has none."""

    base: int
    features: dict[str, list[Band]]


class Standing(TypedDict):
    """One row by its points: its band of each feature, and what would lift it out of the riskiest part of the list."""

    score: int
    limit: int  # the highest score of that part
    bands: dict[str, Band]
    changes: list["Change"]


class Change(TypedDict):
    """One feature in another band: the points that it would add."""

    feature: str
    to: Band
    gain: int


def fit_scorecard(
    task: Task, columns: Sequence[str], values: np.ndarray, label: np.ndarray, groups: np.ndarray, folds: Sequence[Fold]
) -> tuple[dict[str, Candidate], Unseen]:
    """The scorecard of the task's features, calibrated like every model, and the rows that calibrated it.

    Where no value had to be held back, the scorecard before that stands beside it, to show what it costs.

    Parameters
    ----------
    columns : sequence of str
        Names of the columns of ``values``, (n, features).
    """
    signs = [task.scorecard.get(name, 0) for name in columns]
    used = np.array(signs) != 0
    # A column that is the same everywhere is never split: only those of the scorecard are.
    seen = np.where(used, values, np.float32(0))
    shape = {
        "max_leaf_nodes": 2,
        "max_bins": BANDS,
        "max_features": 1.0,
        "monotonic_cst": signs,
        "learning_rate": 0.1,
    }
    free: list[HistGradientBoostingClassifier] = []

    def bound(trees: HistGradientBoostingClassifier) -> HistGradientBoostingClassifier:
        free.append(trees)
        return hold_missing_back(trees)

    with threadpool_limits(1):  # trees of one split are too small for more
        candidate, _, unseen = fit_trees(task, seen, label, groups, folds, shape, bound)
    candidates = {SCORECARD: candidate}
    if point_table(free[-1], columns) != point_table(_classifier(candidate), columns):
        candidates[UNBOUND] = replace(candidate, estimator=free[-1])
    return candidates, unseen


def _classifier(candidate: Candidate) -> HistGradientBoostingClassifier:
    assert isinstance(candidate.estimator, HistGradientBoostingClassifier)
    return candidate.estimator


def hold_missing_back(trees: HistGradientBoostingClassifier) -> HistGradientBoostingClassifier:
    """The same trees of one split, in which no value lies in the least risky band of its feature if it lay below it."""
    bound = deepcopy(trees)
    stumps: dict[int, list[np.ndarray]] = {}
    for (predictor,) in bound._predictors:  # noqa: SLF001  # pyrefly: ignore[missing-attribute]
        if not predictor.nodes[0]["is_leaf"]:
            stumps.setdefault(int(predictor.nodes[0]["feature_idx"]), []).append(predictor.nodes)
    for splits in stumps.values():
        ends = {True: _push(splits, -np.inf), False: _push(splits, float(np.finfo(float).max))}  # left of all splits
        safest = min(ends, key=lambda is_left: ends[is_left])
        if _push(splits, np.nan) < ends[safest]:
            for nodes in splits:  # one without a threshold parts what is known, to the left, from what is not
                nodes["missing_go_to_left"][0] = safest or np.isinf(nodes["num_threshold"][0])
    return bound


def _push(splits: Sequence[np.ndarray], value: float) -> float:
    """What the splits of one feature add to the log odds of a value; nan is none."""
    pushes = 0.0
    for nodes in splits:
        root = nodes[0]
        is_left = root["missing_go_to_left"] if np.isnan(value) else value <= root["num_threshold"]
        pushes += float(nodes["value"][root["left" if is_left else "right"]])
    return pushes


def point_table(trees: HistGradientBoostingClassifier, columns: Sequence[str]) -> Points:
    """The points of a scorecard.

    Parameters
    ----------
    trees : HistGradientBoostingClassifier
        Of one split each, fitted.
    columns : sequence of str
        The names of its features.
    """
    # scikit-learn has no public view of its trees.
    margin = float(trees._baseline_prediction.item())  # noqa: SLF001  # pyrefly: ignore[missing-attribute]
    steps: dict[str, list[tuple[float, float, float, float]]] = {}
    for (predictor,) in trees._predictors:  # noqa: SLF001  # pyrefly: ignore[missing-attribute]
        root = predictor.nodes[0]
        if root["is_leaf"]:
            margin += float(root["value"])
            continue
        left, right = (float(predictor.nodes["value"][root[side]]) for side in ("left", "right"))
        missing = left if root["missing_go_to_left"] else right
        steps.setdefault(columns[root["feature_idx"]], []).append((float(root["num_threshold"]), left, right, missing))
    features: dict[str, list[Band]] = {}
    for name in (name for name in columns if name in steps):
        # A split without a threshold parts what is known from what is not: no band begins there.
        edges = [-np.inf, *sorted({threshold for threshold, *_ in steps[name] if threshold < np.inf}), np.inf]
        bands = [
            (low, high, sum(left if high <= threshold else right for threshold, left, right, _ in steps[name]))
            for low, high in pairwise(edges)
        ]
        unknown = sum(missing for *_, missing in steps[name])
        riskiest = max(unknown, *(pushes for *_, pushes in bands))
        margin += riskiest
        features[name] = [_band(low, high, riskiest - pushes) for low, high, pushes in bands]
        features[name].append({**_band(-np.inf, np.inf, riskiest - unknown), "is_known": False})
    return {"base": round(POINTS - POINTS_PER_LOG_ODDS * (log(ODDS) + margin)), "features": features}


def _band(low: float, high: float, safer: float) -> Band:
    """``safer``: log odds below those of the riskiest band."""
    bounds = [None if np.isinf(bound) else bound for bound in (low, high)]
    return {"low": bounds[0], "high": bounds[1], "points": round(POINTS_PER_LOG_ODDS * safer), "is_known": True}


def band_of(bands: Sequence[Band], value: float) -> Band:
    """The band in which a value lies; nan is no value."""
    if np.isnan(value):
        return bands[-1]
    return next(band for band in bands if band["high"] is None or value <= band["high"])


def score_of(table: Points, values: Mapping[str, float]) -> int:
    """The points of one row, by feature."""
    return table["base"] + sum(band_of(bands, values[name])["points"] for name, bands in table["features"].items())


def changes(table: Points, values: Mapping[str, float], needed: int) -> list[Change]:
    """What would lift one row by ``needed`` points: the nearest band of one feature, for each that can alone.

    Those that lie nearest to the points come first. That a band says so does not mean that a person can move there, or
    that moving there would change the outcome.
    """
    found: list[Change] = []
    for name, bands in table["features"].items():
        own = band_of(bands, values[name])
        enough = [band for band in bands[:-1] if band["points"] - own["points"] >= needed]
        if enough:
            nearest = min(enough, key=lambda band: band["points"])
            found.append({"feature": name, "to": nearest, "gain": nearest["points"] - own["points"]})
    return sorted(found, key=lambda change: (change["gain"], change["feature"]))


def standing(table: Points, columns: Sequence[str], values: np.ndarray, row: int, share: float) -> Standing:
    """How one row stands among all.

    Parameters
    ----------
    columns : sequence of str
        Names of the columns of ``values``, (n, features).
    row : int
        Its place among the rows.
    share : float
        Of the rows, the riskiest part of the list.
    """
    used = {name: values[:, list(columns).index(name)].astype(float) for name in table["features"]}
    scores = [score_of(table, {name: column[at] for name, column in used.items()}) for at in range(len(values))]
    limit = sorted(scores)[max(0, int(share * len(scores)) - 1)]
    own = {name: float(column[row]) for name, column in used.items()}
    return {
        "score": scores[row],
        "limit": limit,
        "bands": {name: band_of(bands, own[name]) for name, bands in table["features"].items()},
        "changes": changes(table, own, limit + 1 - scores[row]) if scores[row] <= limit else [],
    }


def band_text(band: Band, say: Voice) -> str:
    """The bounds of a band.

    >>> from lakehouse.language import ENGLISH
    >>> band_text({"low": 0.5, "high": None, "points": 3}, ENGLISH)
    'above 0.5'
    """
    low, high = (None if bound is None else f"{bound:,.4g}" for bound in (band["low"], band["high"]))
    if low and high:
        return say("above {low}, up to {high}", low=low, high=high)
    if low or high:
        return say("above {low}", low=low) if low else say("up to {high}", high=high)
    return say("any value") if band.get("is_known") else say("no value")
