"""Why a customer has a high score: exact Shapley values of the margin, and the features that push it up the most.

Of a logistic regression they are its terms. Of trees they are the values of shap's TreeExplainer (path dependent), to
which the tests compare them, in an eighth of the time, and without its seconds of import. What a tree says of a row
hangs only on the row's answers at the splits: left or right. A tree of at most eight leaves has at most 2^7 sets of
answers, so the Shapley values of every set are worked out once, and rows look theirs up.
"""

from functools import cache
from math import factorial

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline

from ml_jobs.learning.classifier import Estimator, Learned
from ml_jobs.task_file import Task, phrases

REASONS = 3
CHUNK = 50_000  # rows; bounds the memory


def top_reasons(
    estimator: Estimator, values: np.ndarray, source: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The features that push each row's margin up the most.

    Parameters
    ----------
    values : (n, columns) array
    source : (columns,) array of int, or None
        The feature behind each column, where a feature has several: what they push is summed.

    Returns
    -------
    two (n, REASONS) arrays
        Positions of the features, strongest first (the first in column order among equals), and whether each pushes up
        at all.
    """
    positions, pushes_up = [], []
    for start in range(0, len(values), CHUNK):
        contribution, _ = contributions(estimator, values[start : start + CHUNK])
        if source is not None:
            contribution = by_source(contribution, source)
        order = np.argsort(-contribution, axis=1, kind="stable")[:, :REASONS]
        positions.append(order)
        pushes_up.append(np.take_along_axis(contribution, order, axis=1) > 0)
    return np.concatenate(positions), np.concatenate(pushes_up)


def by_source(contribution: np.ndarray, source: np.ndarray) -> np.ndarray:
    """Sum the contributions of the columns that stand for one feature: (n, features)."""
    return contribution @ (source[:, None] == np.arange(source.max() + 1)).astype(float)


def contributions(estimator: Estimator, values: np.ndarray) -> tuple[np.ndarray, float]:
    """Shapley values of the margin (log odds before calibration).

    Returns
    -------
    (n, columns) array and float
        Contributions and their base; base plus a row's sum is the row's margin.
    """
    if isinstance(estimator, Pipeline):
        return _terms(estimator, values)
    return _tree_contributions(estimator, values)


def _terms(pipeline: Pipeline, values: np.ndarray) -> tuple[np.ndarray, float]:
    """The terms of a logistic regression; its features are centred, so the base is what an average row has."""
    *prepare, (_, regress) = pipeline.steps
    terms = Pipeline(prepare).transform(values.astype(float)) * regress.coef_[0]
    total = terms[:, : values.shape[1]].copy()
    for position, feature in enumerate(pipeline["impute"].indicator_.features_):  # being missing belongs to the feature
        total[:, feature] += terms[:, values.shape[1] + position]
    return total, float(regress.intercept_[0])


def _tree_contributions(trees: HistGradientBoostingClassifier, values: np.ndarray) -> tuple[np.ndarray, float]:
    columns = np.ascontiguousarray(values.T)
    total = np.zeros(columns.shape)
    base = float(trees._baseline_prediction.item())
    for (predictor,) in trees._predictors:
        nodes = predictor.nodes
        splits = np.flatnonzero(nodes["is_leaf"] == 0)
        features, table, expected = _table(nodes, splits)
        answers = np.zeros(len(values), dtype=np.intp)
        for bit, split in enumerate(nodes[splits]):
            column = columns[split["feature_idx"]]
            goes_left = column <= _at_most(split["num_threshold"], columns.dtype)
            if split["missing_go_to_left"]:
                goes_left |= np.isnan(column)
            answers |= goes_left.astype(np.intp) << bit
        for feature, worths in zip(features, table.T, strict=True):
            total[feature] += worths[answers]
        base += expected
    return np.ascontiguousarray(total.T), base


def _at_most(threshold: float, dtype: np.dtype) -> np.floating:
    """The largest number of the columns' precision that is not above the threshold: comparisons come out the same."""
    nearest = dtype.type(threshold)
    return nearest if nearest <= threshold else np.nextafter(nearest, dtype.type(-np.inf))


def _table(nodes: np.ndarray, splits: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """The features of a tree, their Shapley values for every set of answers (bit s: left at split s), and the base."""
    features, player = np.unique(nodes["feature_idx"][splits], return_inverse=True)
    position = {split: bit for bit, split in enumerate(splits)}
    answers = np.arange(2 ** len(splits))[:, None]
    coalition = np.arange(2 ** len(features))[None, :]  # bit p: the value of feature p is known

    def worth(node: int) -> np.ndarray:
        """What the tree below ``node`` says if the coalition is known, and the rest averaged: [answers, coalitions]."""
        if nodes["is_leaf"][node]:
            return nodes["value"][node]
        left, right = nodes["left"][node], nodes["right"][node]
        share = nodes["count"][left] / nodes["count"][node]
        left, right = worth(left), worth(right)
        followed = np.where(answers >> position[node] & 1, left, right)
        averaged = share * left + (1 - share) * right
        return np.where(coalition >> player[position[node]] & 1, followed, averaged)

    game = np.broadcast_to(worth(0), (answers.size, coalition.size))
    return features, game @ _shapley_weights(len(features)), float(game[0, 0])


@cache
def _shapley_weights(players: int) -> np.ndarray:
    """Weights that turn the worth of every coalition into each player's Shapley value: [coalitions, players]."""
    coalition = np.arange(2**players)[:, None]
    is_member = (coalition >> np.arange(players) & 1).astype(bool)
    others = is_member.sum(axis=1, keepdims=True) - is_member
    weight = np.array([factorial(size) * factorial(players - size - 1) / factorial(players) for size in range(players)])
    return np.where(is_member, weight[others], -weight[others]) if players else np.zeros((1, 0))


EXPLAINED_ROWS = 5_000  # for what drives a model as a whole


def importance(
    task: Task, learned: Learned, values: np.ndarray, columns: tuple[str, ...], source: tuple[str, ...]
) -> list[dict[str, object]]:
    """Features by their mean absolute Shapley value, the strongest first, with their words in both languages."""
    some = values[:: -(-len(values) // EXPLAINED_ROWS)]
    contribution, _ = contributions(learned.chosen.estimator, some)
    names = list(dict.fromkeys(source))
    words = phrases(task)
    push = [np.abs(contribution[:, np.array(source) == name].sum(axis=1)).mean() for name in names]
    return [
        {
            "feature": names[at],
            "push": float(push[at]),
            "en": words[names[at]].en if names[at] in words else names[at],
            "zh": words[names[at]].zh if names[at] in words else "",
        }
        for at in np.argsort(push, kind="stable")[::-1]
    ]
