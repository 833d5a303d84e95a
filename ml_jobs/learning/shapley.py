"""Why a customer has a high score: exact Shapley values of the margin, and the features that push it up the most.

Of a logistic regression they are its terms. Of trees they are those of shap's TreeExplainer (path dependent), to which
the tests compare them. The prediction of a tree depends only on the row's answers at its splits: left or right. A tree
of at most eight leaves has at most 2^7 sets of answers, so the Shapley values of each set are computed once, and every
row looks up its own. docs/DECISIONLOG.md has the times beside those of shap and LightGBM.
"""

from functools import cache
from math import factorial
from typing import TypedDict

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline

from ml_jobs.learning.classifier import Estimator, Selection
from ml_jobs.task_file import Task, phrases

REASONS = 3
CHUNK = 50_000  # rows; bounds the memory
EXPLAINED_ROWS = 5_000  # for the importance of features


class Importance(TypedDict):
    """A feature, its mean absolute Shapley value, and its name in both languages."""

    feature: str
    push: float
    en: str
    zh: str


def top_reasons(
    estimator: Estimator, values: np.ndarray, source: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The features that push each row's margin up the most.

    Parameters
    ----------
    values : (n, columns) array
    source : (columns,) array of int, or None
        The feature behind each column, where a feature has several: their values are summed.

    Returns
    -------
    two (n, REASONS) arrays
        Positions of the features, strongest first (the first in column order among equals), and whether each pushes up
        at all.
    """
    positions, pushes_up = [], []
    for start in range(0, len(values), CHUNK):
        contribution, _ = shapley_values(estimator, values[start : start + CHUNK])
        if source is not None:
            contribution = sum_by_feature(contribution, source)
        order = np.argsort(-contribution, axis=1, kind="stable")[:, :REASONS]
        positions.append(order)
        pushes_up.append(np.take_along_axis(contribution, order, axis=1) > 0)
    return np.concatenate(positions), np.concatenate(pushes_up)


def sum_by_feature(contribution: np.ndarray, source: np.ndarray) -> np.ndarray:
    """Sum the values of the columns that encode one feature: (n, columns) to (n, features)."""
    return contribution @ (source[:, None] == np.arange(source.max() + 1)).astype(float)


def shapley_values(estimator: Estimator, values: np.ndarray) -> tuple[np.ndarray, float]:
    """Shapley values of the margin (log odds before calibration).

    Returns
    -------
    (n, columns) array and float
        The values and their base; base plus a row's sum is the row's margin.
    """
    if isinstance(estimator, Pipeline):
        return _linear_shapley_values(estimator, values)
    return _tree_shapley_values(estimator, values)


def _linear_shapley_values(pipeline: Pipeline, values: np.ndarray) -> tuple[np.ndarray, float]:
    """The terms of a logistic regression; its features are centred, so the base is the margin of an average row."""
    *preprocessing, (_, regress) = pipeline.steps
    terms = Pipeline(preprocessing).transform(values.astype(float)) * regress.coef_[0]
    total = terms[:, : values.shape[1]].copy()
    # That a feature is missing is part of its contribution.
    for position, feature in enumerate(pipeline.named_steps["impute"].indicator_.features_):
        total[:, feature] += terms[:, values.shape[1] + position]
    return total, float(regress.intercept_[0])


def _tree_shapley_values(trees: HistGradientBoostingClassifier, values: np.ndarray) -> tuple[np.ndarray, float]:
    columns = np.ascontiguousarray(values.T)
    total = np.zeros(columns.shape)
    # scikit-learn has no public view of its trees.
    base = float(trees._baseline_prediction.item())  # noqa: SLF001  # pyrefly: ignore[missing-attribute]
    for (predictor,) in trees._predictors:  # noqa: SLF001  # pyrefly: ignore[missing-attribute]
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
        for feature, of_answers in zip(features, table.T, strict=True):
            total[feature] += of_answers[answers]
        base += expected
    return np.ascontiguousarray(total.T), base


def _at_most(threshold: float, dtype: np.dtype) -> np.floating:
    """The largest number of the columns' precision that is not above the threshold: comparisons stay the same."""
    nearest = dtype.type(threshold)
    return nearest if nearest <= threshold else np.nextafter(nearest, dtype.type(-np.inf))


def _table(nodes: np.ndarray, splits: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """The features of a tree, their Shapley values for every set of answers (bit s: left at split s), and the base."""
    features, player = np.unique(nodes["feature_idx"][splits], return_inverse=True)
    position = {split: bit for bit, split in enumerate(splits)}
    answers = np.arange(2 ** len(splits))[:, None]
    coalition = np.arange(2 ** len(features))[None, :]  # bit p: the value of feature p is known

    def expectation(node: int) -> np.ndarray:
        """The prediction below ``node``, averaged over the features outside the coalition: [answers, coalitions]."""
        if nodes["is_leaf"][node]:
            return nodes["value"][node]
        left, right = nodes["left"][node], nodes["right"][node]
        share = nodes["count"][left] / nodes["count"][node]
        left, right = expectation(left), expectation(right)
        followed = np.where(answers >> position[node] & 1, left, right)
        averaged = share * left + (1 - share) * right
        return np.where(coalition >> player[position[node]] & 1, followed, averaged)

    game = np.broadcast_to(expectation(0), (answers.size, coalition.size))
    return features, game @ _shapley_weights(len(features)), float(game[0, 0])


@cache
def _shapley_weights(players: int) -> np.ndarray:
    """Weights that turn the value of every coalition into each player's Shapley value: [coalitions, players]."""
    coalition = np.arange(2**players)[:, None]
    is_member = (coalition >> np.arange(players) & 1).astype(bool)
    others = is_member.sum(axis=1, keepdims=True) - is_member
    weight = np.array([factorial(size) * factorial(players - size - 1) / factorial(players) for size in range(players)])
    return np.where(is_member, weight[others], -weight[others]) if players else np.zeros((1, 0))


def importance(task: Task, selection: Selection, values: np.ndarray, source: tuple[str, ...]) -> list[Importance]:
    """Features by their mean absolute Shapley value, the strongest first.

    Parameters
    ----------
    values : (n, columns) array
    source : tuple of str
        The feature behind each column.
    """
    contribution, _ = shapley_values(selection.selected.estimator, values[:: -(-len(values) // EXPLAINED_ROWS)])
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
