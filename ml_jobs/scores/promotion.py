"""Champion and challenger: which of a task's models scores, decided by rule, never by hand.

Each month-end's model, and each that is trained out of turn (see `monitoring`), challenges the one in use, on the
challenger's test rows, which neither was trained on. The decision is a file of the lake, named like the challenger, and
hangs on the deliveries alone: the built dates are gone through in order, so a bank that was built in one run decides as
one that was built day by day.
"""

import json
from dataclasses import asdict
from datetime import date
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from lakehouse import lake
from lakehouse.lake.dates import built_dates
from lakehouse.lake.model_files import Known, in_force, model_folder, promotion_path, retraining_path
from lakehouse.settings import Settings
from ml_jobs.errors import CannotScore
from ml_jobs.learning.metrics import auc, bootstrap_weights, interval
from ml_jobs.registry.model import Model, load
from ml_jobs.scores.data import read_labelled
from ml_jobs.scores.training import train
from ml_jobs.task_file import Task, load_tasks


def champion(settings: Settings, task: Task, known: Known) -> Model:
    """The model that scores the business date: of its training date, or an older one that is still better.

    Raises
    ------
    CannotScore
        If the training date's model cannot be trained, or is too poor to score and there is no older one.
    """
    decided = decision(settings, task, in_force(settings, task.task, known))
    if decided["champion"] is None:
        raise CannotScore(decided["why"])
    return load(settings.lake / "models" / task.task / decided["champion"], settings.token_secret)


def retrain(settings: Settings, task: str, business_date: date) -> str | None:
    """Train the challenger that the monitoring of the business date calls for, and let the rule decide.

    Returns
    -------
    str or None
        What was decided and why; None where no retraining is due.
    """
    known = Known.by(settings, business_date, business_date)
    if not retraining_path(settings, task, known).exists():
        return None
    try:
        decided = decision(settings, load_tasks()[task], known)
    except CannotScore as abstention:
        return f"no challenger: {abstention}"
    return f"{decided['champion']} scores from the next date on: {decided['why']}"


def decision(settings: Settings, task: Task, known: Known) -> dict[str, Any]:
    """What was decided at the training date: from the lake if it is there, otherwise decided and put there.

    Returns
    -------
    dict
        ``champion``, ``challenger``, ``incumbent`` (versions), ``why``, and the figures that it rests on.
    """
    path = promotion_path(settings, task.task, known)
    if not path.exists():
        challenger = train(settings, task, known.trained_on)
        incumbent = _incumbent(settings, task, known)
        lake.write_json(path, _decided(settings, task, known, challenger, incumbent))
    return json.loads(path.read_text())


def _incumbent(settings: Settings, task: Task, known: Known) -> Model | None:
    """The champion of the last built date before the training date, if there is one."""
    built = built_dates(lake.pin(settings.lake, known.business_date))
    earlier = max((day for day in built if day < known.trained_on), default=None)
    if earlier is None:
        return None
    try:
        return champion(settings, task, Known.by(settings, earlier))
    except CannotScore:
        return None


def _decided(settings: Settings, task: Task, known: Known, challenger: Model, incumbent: Model | None) -> dict:
    told: dict[str, Any] = {
        "challenger": challenger.card["model_version"],
        "incumbent": incumbent.card["model_version"] if incumbent else None,
    }
    if task.treatment or task.horizons:
        why = "the newest model is used: what judges it is too short to compare two of them"
        return told | {"champion": told["challenger"], "why": why}
    area = challenger.card["figures"]["model"]["roc_auc"]["value"]
    told["challenger_roc_auc"] = area
    least = task.promotion.minimum_roc_auc
    if area < least:
        why = f"the challenger's ROC AUC, {area:.3f}, is below {least} (promotion.minimum_roc_auc)"
        return told | {"champion": told["incumbent"], "why": why}
    if incumbent is None:
        return told | {"champion": told["challenger"], "why": "there was no model in use"}
    if not set(incumbent.columns) <= set(challenger.columns):
        return told | {"champion": told["challenger"], "why": "the features of the model in use have changed"}
    compared = _compared(settings, task, known, challenger, incumbent)
    loss = compared["log_loss_difference"]
    told |= compared
    reach = f"{loss['value']:+.5f} ({loss['low']:+.5f} to {loss['high']:+.5f})"
    if loss["low"] > 0:
        why = f"the log loss of the model in use is lower beyond the interval: challenger less incumbent {reach}"
        return told | {"champion": told["incumbent"], "why": why}
    why = f"the log loss of the model in use is not lower beyond the interval: challenger less incumbent {reach}"
    return told | {"champion": told["challenger"], "why": why}


def _compared(settings: Settings, task: Task, known: Known, challenger: Model, incumbent: Model) -> dict[str, Any]:
    """Both models on the challenger's test rows."""
    folder = model_folder(settings, task.task, known)
    judged = pq.read_table(folder / "evaluation.parquet").sort_by(
        [("as_of_date", "ascending"), ("customer_key", "ascending")]
    )
    dates = tuple(date.fromisoformat(day) for day in challenger.card["months"]["test"]["as_of_dates"])
    rows = read_labelled(settings, task, incumbent.columns, dates, known_by=known.trained_on)
    margin = incumbent.margin(rows.values)
    weights = bootstrap_weights(rows.customer)
    losses = [
        _log_loss(rows.label, probability)
        for probability in (judged["model_probability"].to_numpy(), incumbent.probability(margin))
    ]
    difference = weights @ (losses[0] - losses[1]) / weights.sum(axis=1)
    return {
        "log_loss_difference": asdict(interval(difference)),
        "incumbent_roc_auc": float(auc(rows.label, margin, weights[:1])[0]),
    }


def _log_loss(label: np.ndarray, probability: np.ndarray) -> np.ndarray:
    return -np.log(np.clip(np.where(label == 1, probability, 1 - probability), 1e-6, 1))
