"""The last steps of a business date, apart from the others: a process that sends changes imports nothing else."""

from collections.abc import Sequence
from datetime import date, datetime

from c360 import alerts
from c360.steps import step
from lakehouse import activation
from lakehouse.contracts import load_deployment
from lakehouse.lake.runs import new_run_id
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


def alert(
    settings: Settings, at: datetime, receivers: Sequence[str] | None = None, run_id: str | None = None
) -> alerts.Result:
    """Tell receivers of alerts what they have not been told; a call that finds no news leaves no record of a step.

    Parameters
    ----------
    at : datetime
        Now, in any time zone.
    receivers : sequence of str, optional
        By default those that the deployment names.
    run_id : str, optional
        The run at whose end it is called.

    Raises
    ------
    Stop
        If nothing is published, a rule does not fit its table, or a target did not take a message.
    """
    rules = alerts.load_alerts(settings.alerts)
    named = rules.chosen(tuple(load_deployment(settings.deployment).alerts if receivers is None else receivers))
    with alerts.planned(settings, rules, named, at) as now:
        if not (now.messages or now.over):
            return alerts.Result(sent=0, held=len(now.held), over=0)
        run_id = run_id or new_run_id(now.business_date)
        with step(settings, run_id, "alert", now.business_date) as detail:
            result = alerts.tell(settings, rules, now, at, run_id)
            detail.update(vars(result))
            return result
