"""Champion and challenger: which of a task's models scores, decided by rule, never by hand.

Each month-end's model, and each that is trained out of turn (see `monitoring`), challenges the one in use, on the
challenger's test rows, which neither was trained on. The decision is a file of the lake, named like the challenger. It
depends only on the deliveries: decisions follow the built dates in order, so a bank built in one run decides like one
built day by day.
"""

import json
from datetime import date
from typing import TypedDict

import pyarrow.parquet as pq

from lakehouse import lake
from lakehouse.contracts import load_deployment
from lakehouse.lake.dates import built_dates
from lakehouse.lake.model_files import Known, in_force, model_folder, promotion_path, retraining_path
from lakehouse.lake.proposals import signed
from lakehouse.settings import Settings
from ml_jobs.errors import CannotScore
from ml_jobs.learning.calibration import Promise, promises, top_decile
from ml_jobs.learning.metrics import Figure, auc, bootstrap_weights, figure, log_losses, weighted_means
from ml_jobs.registry.decision import Decision, breaks_its_promise, decide_alone, refuse_unfair
from ml_jobs.registry.fairness_limits import fairness_limits
from ml_jobs.registry.model import Model, load
from ml_jobs.scores.data import read_labelled
from ml_jobs.scores.training import train
from ml_jobs.task_file import Task, load_tasks


class Comparison(TypedDict):
    """Both models on the challenger's test rows; the difference is challenger less incumbent."""

    log_loss_difference: Figure
    incumbent_roc_auc: float
    incumbent_top_decile: list[Promise]


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
    version = _signed_version(settings, task.task, decided["champion"], known.business_date)
    return load(settings.lake / "models" / task.task / version, settings.token_secret)


def _signed_version(settings: Settings, task: str, champion: str, day: date) -> str:
    """The champion, or, until two people stand for it, the newest model of the task for which they do on that date."""
    if not load_deployment(settings.deployment).four_eyes:
        return champion
    versions = [one.content for one in signed(settings.lake, "promotion", task, day)]
    if champion in versions:
        return champion
    if not versions:
        raise CannotScore(
            f"the model {champion} waits for two names: c360 propose promotion {task} --by NAME --why REASON, and "
            "somebody else: c360 sign"
        )
    return max(versions)


def retrain(settings: Settings, task: str, business_date: date) -> str | None:
    """Train the challenger that the monitoring of the business date requests, and let the rule decide.

    Returns
    -------
    str or None
        The decision and its reason; None where no retraining is due.
    """
    known = Known.by(settings, business_date, business_date)
    if not retraining_path(settings, task, known).exists():
        return None
    try:
        decided = decision(settings, load_tasks()[task], known)
    except CannotScore as abstention:
        return f"no challenger: {abstention}"
    return f"{decided['champion']} scores from the next date on: {decided['why']}"


def decision(settings: Settings, task: Task, known: Known) -> Decision:
    """The decision of the training date: from the lake if it is there, otherwise decided and put there."""
    path = promotion_path(settings, task.task, known)
    if not path.exists():
        challenger = train(settings, task, known.trained_on)
        incumbent = _incumbent(settings, task, known)
        decided = _decide(settings, task, known, challenger, incumbent)
        lake.write_json(path, refuse_unfair(decided, challenger.card, fairness_limits(task)))
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


def _decide(settings: Settings, task: Task, known: Known, challenger: Model, incumbent: Model | None) -> Decision:
    version, used = challenger.card["model_version"], incumbent.card["model_version"] if incumbent else None
    if task.treatment or task.horizons:
        why = "the newest model is used: what judges it is too short to compare two of them"
        return {"challenger": version, "incumbent": used, "champion": version, "why": why}
    decided = decide_alone(task, challenger.card, used)
    if "champion" in decided or incumbent is None:
        return decided
    if not set(incumbent.columns) <= set(challenger.columns):
        return {**decided, "champion": version, "why": "the features of the model in use have changed"}
    comparison = compare(settings, task, known, challenger, incumbent)
    loss, area = comparison["log_loss_difference"], comparison["incumbent_roc_auc"]
    top = comparison["incumbent_top_decile"]
    compared: Decision = {
        **decided,
        "log_loss_difference": loss,
        "incumbent_roc_auc": area,
        "incumbent_top_decile": top,
    }
    difference = f"{loss['value']:+.5f} ({loss['low']:+.5f} to {loss['high']:+.5f})"
    if loss["low"] > 0:
        why = f"the log loss of the model in use is lower beyond the interval: challenger less incumbent {difference}"
        return {**compared, "champion": used, "why": why}
    if why := breaks_its_promise(decided["top_decile"], top, loss):
        return {**compared, "champion": used, "why": f"{why}; log loss, challenger less incumbent, {difference}"}
    why = f"the log loss of the model in use is not lower beyond the interval: challenger less incumbent {difference}"
    return {**compared, "champion": version, "why": why}


def compare(settings: Settings, task: Task, known: Known, challenger: Model, incumbent: Model) -> Comparison:
    """Both models on the challenger's test rows."""
    folder = model_folder(settings, task.task, known)
    evaluation = pq.read_table(folder / "evaluation.parquet").sort_by(
        [("as_of_date", "ascending"), ("customer_key", "ascending")]
    )
    dates = tuple(date.fromisoformat(day) for day in challenger.card["months"]["test"]["as_of_dates"])
    rows = read_labelled(settings, task, incumbent.columns, dates, known_by=known.trained_on)
    margin = incumbent.margin(rows.values)
    weights = bootstrap_weights(rows.customer)
    probability = incumbent.probability(margin)
    challenging, used = (
        log_losses(rows.label, stated) for stated in (evaluation["model_probability"].to_numpy(), probability)
    )
    quarters = incumbent.card.get("quarters", {})
    lines = promises(task, rows.label, margin[None], probability[None], rows.customer, rows.as_of_date, quarters)
    return {
        "log_loss_difference": figure(weighted_means(weights, challenging - used)),
        "incumbent_roc_auc": float(auc(rows.label, margin, weights[:1])[0]),
        "incumbent_top_decile": top_decile(lines),
    }
