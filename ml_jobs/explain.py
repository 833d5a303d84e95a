"""Why a customer has a high score: exact Shapley values of the trees, and the features that push the score up the most.

The same values as shap's TreeExplainer (path dependent), to which the tests compare them, in an eighth of the time, and
without its seconds of import. What a tree says of a row hangs only on the row's answers at the splits: left or right.
A tree of at most eight leaves has at most 2^7 sets of answers, so the Shapley values of every set are worked out once,
and rows look theirs up.
"""

from functools import cache
from math import factorial

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

REASONS = 3
CHUNK = 50_000  # rows; bounds the memory


def top_reasons(trees: HistGradientBoostingClassifier, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The features that push each row's margin up the most.

    Parameters
    ----------
    values : (n, features) array

    Returns
    -------
    two (n, REASONS) arrays
        Positions of the features, strongest first (the first in column order among equals), and whether each pushes up
        at all.
    """
    positions, pushes_up = [], []
    for start in range(0, len(values), CHUNK):
        contribution, _ = contributions(trees, values[start : start + CHUNK])
        order = np.argsort(-contribution, axis=1, kind="stable")[:, :REASONS]
        positions.append(order)
        pushes_up.append(np.take_along_axis(contribution, order, axis=1) > 0)
    return np.concatenate(positions), np.concatenate(pushes_up)


def contributions(trees: HistGradientBoostingClassifier, values: np.ndarray) -> tuple[np.ndarray, float]:
    """Shapley values of the margin (log odds before calibration).

    Returns
    -------
    (n, features) array and float
        Contributions and their base; base plus a row's sum is the row's margin.
    """
    total = np.zeros(values.shape)
    base = float(trees._baseline_prediction.item())
    for (predictor,) in trees._predictors:
        nodes = predictor.nodes
        splits = np.flatnonzero(nodes["is_leaf"] == 0)
        features, table, expected = _table(nodes, splits)
        answers = np.zeros(len(values), dtype=np.intp)
        for bit, split in enumerate(nodes[splits]):
            column = values[:, split["feature_idx"]]
            goes_left = column <= split["num_threshold"]
            if split["missing_go_to_left"]:
                goes_left |= np.isnan(column)
            answers |= goes_left.astype(np.intp) << bit
        total[:, features] += table[answers]
        base += expected
    return total, base


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
