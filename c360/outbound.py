"""The last step of a business date, apart from the others: a process that sends changes imports nothing else."""

from datetime import date

from c360.steps import step
from lakehouse import activation
from lakehouse.settings import Settings


def activate(
    settings: Settings,
    name: str,
    business_date: date,
    run_id: str,
    plan_id: str | None = None,
    again: bool = False,
) -> activation.Sent:
    """Send what is published to one target; what is not acknowledged is sent by the next call.

    Parameters
    ----------
    plan_id : str, optional
        Send this plan, or nothing.
    again : bool
        Send what the target refused once more.

    Raises
    ------
    Stop
        If the target does not answer, or something is wrong with it or the contract.
    """
    with step(settings, run_id, f"activate_{name}", business_date) as detail:
        sent = activation.send(settings, activation.activation_of(name), run_id, plan_id, again)
        detail.update(vars(sent))
        return sent
