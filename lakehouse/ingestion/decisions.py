"""What a person decides of a delivery: to accept one that looks wrong, or to take one back. A name stands on it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date

from lakehouse.contracts import load_deployment
from lakehouse.errors import Stop
from lakehouse.lake import Decision, Outcome, accept_day, decide, is_asked, read_outcomes
from lakehouse.settings import Settings


def accept(settings: Settings, delivery: str, by: str, why: str, signed_by: str | None = None) -> Outcome:
    """Accept a delivery that was rejected as implausible, or waits because it disagrees with others, as it is.

    Parameters
    ----------
    delivery : str
        Its id, as ``ops.deliveries`` and the reason have it.
    by, why : str
        Who decides, and the reason; both are kept in the lake.
    signed_by : str, optional
        The second name, where the deployment asks for one.

    Raises
    ------
    Stop
        If there is no such delivery, it was not rejected and does not wait, or a name is lacking.
    """

    def may_be(outcome: Outcome) -> bool:
        return outcome.outcome == "rejected" or is_asked(settings.lake, outcome.delivery_id)

    decision = override_of(settings, by, why, signed_by)
    outcome = _find(settings, delivery, may_be, "was not rejected, and does not wait")
    decide(settings.lake, "acceptances", outcome.delivery_id, decision)
    return outcome


def retract(settings: Settings, delivery: str, by: str, why: str, signed_by: str | None = None) -> Outcome:
    """Take back a delivery that was loaded, as if it had not come: the next run builds again what it touched.

    Raises
    ------
    Stop
        If there is no such delivery, it does not count, or a name is lacking.
    """
    decision = override_of(settings, by, why, signed_by)
    outcome = _find(settings, delivery, lambda outcome: outcome.is_loaded, "does not count as it is")
    decide(settings.lake, "retractions", outcome.delivery_id, decision)
    return outcome


def accept_silence(settings: Settings, day: date, by: str, why: str, signed_by: str | None = None) -> None:
    """Accept that no feed delivered on a day: the runs after it go on.

    Raises
    ------
    Stop
        If a feed did deliver, or a name is lacking.
    """
    decision = override_of(settings, by, why, signed_by)
    if any(outcome.is_loaded and outcome.cutoff_date == day for outcome in read_outcomes(settings.lake)):
        raise Stop(f"{day} has deliveries", "accept a delivery by its id")
    accept_day(settings.lake, day, decision)


def decision_of(by: str, why: str) -> Decision:
    """A decision with its name and reason, and a `Stop` without."""
    if not (by.strip() and why.strip()):
        raise Stop("a decision needs a name and a reason", "give --by and --why")
    return Decision(by.strip(), why.strip())


def override_of(settings: Settings, by: str, why: str, signed_by: str | None) -> Decision:
    """A decision against what the rules alone would do: with a second name, if the deployment asks for one."""
    decision = decision_of(by, why)
    if signed_by is None and load_deployment(settings.deployment).four_eyes:
        raise Stop(
            "an override needs two names",
            "c360 propose acceptance (or retraction) DELIVERY --by NAME --why REASON, and somebody else: c360 sign",
        )
    return replace(decision, signed_by=signed_by)


def _find(settings: Settings, delivery: str, may_be: Callable[[Outcome], bool], what_if_not: str) -> Outcome:
    outcomes = {outcome.delivery_id: outcome for outcome in read_outcomes(settings.lake)}
    if delivery not in outcomes:
        raise Stop(f"there is no delivery {delivery}", "ops.deliveries and c360 status have the ids")
    if not may_be(outcomes[delivery]):
        raise Stop(f"{delivery} {what_if_not}: it is {outcomes[delivery].outcome}")
    return outcomes[delivery]
