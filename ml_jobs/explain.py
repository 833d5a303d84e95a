"""Why a customer has a high score: the features that push it up the most, by exact Shapley values of the trees."""

import numpy as np
import shap
from sklearn.ensemble import HistGradientBoostingClassifier

REASONS = 3
EXPLAINED = 100_000  # rows; about 20 s. Customers ranked below get no reasons.


def contributions(trees: HistGradientBoostingClassifier, values: np.ndarray) -> tuple[np.ndarray, float]:
    """Shapley values of the margin (log odds before calibration).

    Parameters
    ----------
    values : (n, features) array

    Returns
    -------
    (n, features) array and float
        Contributions and their base; base plus a row's sum is the row's margin.
    """
    explainer = shap.TreeExplainer(trees)
    return explainer.shap_values(values), float(np.ravel(explainer.expected_value)[0])


def top_reasons(contribution: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The features that push each row's score up the most.

    Returns
    -------
    two (n, REASONS) arrays
        Positions of the features, strongest first (the first in column order among equals), and whether each pushes up
        at all.
    """
    order = np.argsort(-contribution, axis=1, kind="stable")[:, :REASONS]
    return order, np.take_along_axis(contribution, order, axis=1) > 0
