"""Whether a model still sees what it was trained on: drift, and calibration once labels are ripe."""

from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from c360.settings import Settings
from ml_jobs.data import labelled_months, read_labelled
from ml_jobs.metrics import auc
from ml_jobs.paths import Known, score_path
from ml_jobs.tasks import Task

BINS = 10
WATCH, ALERT = 0.1, 0.25  # population stability index: the usual limits
MISSING_RISE = 0.05  # of the rows
LEAST_SHARE = 1e-4  # an empty bin counts as this, so that the index stays finite


def reference(values: np.ndarray, columns: tuple[str, ...], margin: np.ndarray) -> dict[str, dict[str, list[float]]]:
    """What later rows are compared with: inner edges of ten bins, and the share of each bin and of missing values."""
    features = {name: _distribution(values[:, position]) for position, name in enumerate(columns)}
    return features | {"(score)": _distribution(margin)}


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
    columns = {name: values[:, position] for position, name in enumerate(card["features"])} | {"(score)": margin}
    found = [{"feature": name, **drift(card["reference"][name], column)} for name, column in columns.items()]
    return [
        line | {"verdict": verdict(line["stability_index"], line["missing_rise"])}
        for line in sorted(found, key=lambda line: -line["stability_index"])
    ]


def ripe_calibration(settings: Settings, task: Task, business_date: date) -> list[dict[str, Any]]:
    """What was promised against what came, for every month-end that was scored and whose labels are ripe by now.

    Returns
    -------
    list of dict
        ``as_of_date``, ``rows``, ``positives``, ``observed``, ``expected``, and ``roc_auc`` if there are both outcomes.
    """
    found = []
    for month in labelled_months(settings, task, business_date):
        path = score_path(settings, task.task, Known.by(settings, month.as_of_date))
        if not path.exists():
            continue
        scores = pq.read_table(path, columns=["customer_key", "probability"], partitioning=None)
        labels = read_labelled(settings, task, (), (month.as_of_date,), known_by=business_date)
        outcome = pa.table({"customer_key": labels.customer, "label": labels.label})
        both = scores.join(outcome, "customer_key", join_type="inner").sort_by("customer_key")
        label, probability = both["label"].to_numpy(), both["probability"].to_numpy()
        line = {
            "as_of_date": str(month.as_of_date),
            "rows": len(label),
            "positives": int(label.sum()),
            "observed": float(label.mean()),
            "expected": float(probability.mean()),
        }
        if 0 < label.sum() < len(label):
            line["roc_auc"] = float(auc(label, probability, np.ones((1, len(label))))[0])
        found.append(line)
    return found


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
