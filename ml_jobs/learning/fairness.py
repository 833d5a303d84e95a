"""How differently a score treats groups of people, by fairlearn: selection rates, true and false positive rates."""

from typing import TypedDict

import numpy as np
from fairlearn.metrics import MetricFrame, false_positive_rate, selection_rate, true_positive_rate

LEAST_ROWS = 100  # of a group that is compared
METRICS = {
    "selection_rate": selection_rate,  # demographic parity compares it
    "true_positive_rate": true_positive_rate,  # equalised odds compare this one
    "false_positive_rate": false_positive_rate,  # and this one
}


class FairnessGaps(TypedDict):
    """The largest difference of each metric between groups of at least ``least_rows`` rows."""

    selection_rate_difference: float
    true_positive_rate_difference: float
    false_positive_rate_difference: float
    least_rows: int


def gaps(label: np.ndarray, ranking: np.ndarray, group: np.ndarray, share: float) -> FairnessGaps | None:
    """The largest differences between groups when the top ``share`` of the list is selected.

    Parameters
    ----------
    label, ranking, group : (n,) arrays

    Returns
    -------
    FairnessGaps or None
        None if there are not two groups large enough.
    """
    names, counts = np.unique(group.astype(str), return_counts=True)
    keep = np.isin(group.astype(str), names[counts >= LEAST_ROWS])
    if (counts >= LEAST_ROWS).sum() < 2:
        return None
    selected = ranking >= np.quantile(ranking, 1 - share)
    frame = MetricFrame(
        metrics=METRICS,
        y_true=label[keep],
        y_pred=selected[keep].astype(int),
        sensitive_features=group[keep].astype(str),
    )
    differences: dict[str, float] = dict(frame.difference(method="between_groups"))
    return {
        "selection_rate_difference": float(differences["selection_rate"]),
        "true_positive_rate_difference": float(differences["true_positive_rate"]),
        "false_positive_rate_difference": float(differences["false_positive_rate"]),
        "least_rows": LEAST_ROWS,
    }
