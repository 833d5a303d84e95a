"""Champion and challenger: what was decided, and the part of the rule that needs no comparison of the two."""

from collections.abc import Mapping
from typing import NotRequired, TypedDict

from ml_jobs.learning.calibration import Promise, broken, is_off, top_decile
from ml_jobs.learning.metrics import Figure
from ml_jobs.registry.card import Card
from ml_jobs.registry.fairness_limits import Comparison, Limit, beyond, said
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
    top_decile: NotRequired[list[Promise]]  # of the challenger; one line, or none
    incumbent_top_decile: NotRequired[list[Promise]]
    unfair: NotRequired[list[Comparison]]  # gaps of the challenger beyond the bank's limits, for which it is refused


def decide_alone(task: Task, challenger: Card, incumbent: str | None) -> Decision:
    """The decision where the challenger's card is enough; no ``champion`` where both models must be compared."""
    area = challenger["figures"]["model"]["roc_auc"]["value"]
    version, least = challenger["model_version"], task.promotion.minimum_roc_auc
    top = top_decile(challenger.get("promises", []))
    decision: Decision = {
        "challenger": version,
        "incumbent": incumbent,
        "challenger_roc_auc": area,
        "top_decile": top,
    }
    if area < least:
        why = f"the challenger's ROC AUC, {area:.3f}, is below {least} (promotion.minimum_roc_auc)"
        return {**decision, "champion": incumbent, "why": why}
    if incumbent is None:
        return {**decision, "champion": version, "why": "; ".join(["there was no model in use", *broken(top)])}
    return decision


def refuse_unfair(decision: Decision, challenger: Card, limits: Mapping[str, Limit]) -> Decision:
    """The decision, or, of a challenger that treats groups too differently, that it does not take over."""
    unfair = beyond(challenger.get("group_gaps", {}), limits)
    if not unfair or decision.get("champion") != decision["challenger"]:
        return decision
    why = f"the challenger treats groups too differently: {'; '.join(map(said, unfair))}"
    return {**decision, "champion": decision["incumbent"], "why": why, "unfair": unfair}


def breaks_its_promise(challenger: list[Promise], incumbent: list[Promise], log_loss_difference: Figure) -> str | None:
    """Why the model in use stays although it is no better: the challenger promises too much, or too little, at the top.

    Parameters
    ----------
    challenger, incumbent : list of Promise
        Their top deciles on the same rows.
    log_loss_difference : Figure
        Challenger less incumbent; below 0 beyond the interval, the challenger is better all the same.
    """
    is_worse = any(map(is_off, challenger)) and not any(map(is_off, incumbent))
    if not is_worse or log_loss_difference["high"] < 0:
        return None
    return f"the challenger's {'; '.join(broken(challenger))}; the promise of the model in use holds"
