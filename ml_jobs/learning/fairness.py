"""How differently a score treats groups of people, by fairlearn: who is chosen, who is found, who is a false alarm."""

import numpy as np
from fairlearn.metrics import MetricFrame, false_positive_rate, selection_rate, true_positive_rate

LEAST_ROWS = 100  # of a group that is compared
METRICS = {
    "selection_rate": selection_rate,  # demographic parity compares it
    "true_positive_rate": true_positive_rate,  # equalised odds compare this one
    "false_positive_rate": false_positive_rate,  # and this one
}


def gaps(label: np.ndarray, ranking: np.ndarray, group: np.ndarray, share: float) -> dict[str, float] | None:
    """The largest differences between groups, when the top ``share`` of the list is chosen.

    Parameters
    ----------
    label, ranking, group : (n,) arrays

    Returns
    -------
    dict or None
        ``<metric>_difference`` for each of `METRICS`, and ``least_rows``; None if there are not two large groups.
    """
    names, counts = np.unique(group.astype(str), return_counts=True)
    keep = np.isin(group.astype(str), names[counts >= LEAST_ROWS])
    if (counts >= LEAST_ROWS).sum() < 2:
        return None
    chosen = ranking >= np.quantile(ranking, 1 - share)
    frame = MetricFrame(
        metrics=METRICS, y_true=label[keep], y_pred=chosen[keep].astype(int), sensitive_features=group[keep].astype(str)
    )
    differences = frame.difference(method="between_groups")
    return {f"{name}_difference": float(differences[name]) for name in METRICS} | {"least_rows": LEAST_ROWS}
