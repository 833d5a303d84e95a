"""Champion and challenger: what was decided, and the part of the rule that needs no comparison of the two."""

from typing import NotRequired, TypedDict

from ml_jobs.learning.metrics import Figure
from ml_jobs.registry.card import Card
from ml_jobs.task_file import Task


class Decision(TypedDict):
    """Which model version scores from now on, why, and the figures that decided; versions are None where absent."""

    challenger: str
    incumbent: str | None
    champion: NotRequired[str | None]
    why: NotRequired[str]
    challenger_roc_auc: NotRequired[float]
    incumbent_roc_auc: NotRequired[float]
    log_loss_difference: NotRequired[Figure]  # challenger less incumbent


def decide_alone(task: Task, challenger: Card, incumbent: str | None) -> Decision:
    """The decision where the challenger's card is enough; no ``champion`` where both models must be compared."""
    area = challenger["figures"]["model"]["roc_auc"]["value"]
    version, least = challenger["model_version"], task.promotion.minimum_roc_auc
    decision: Decision = {"challenger": version, "incumbent": incumbent, "challenger_roc_auc": area}
    if area < least:
        why = f"the challenger's ROC AUC, {area:.3f}, is below {least} (promotion.minimum_roc_auc)"
        return {**decision, "champion": incumbent, "why": why}
    if incumbent is None:
        return {**decision, "champion": version, "why": "there was no model in use"}
    return decision
