"""What a person decides of a delivery: to accept one that looks wrong, or to take one back. A name stands on it."""

from collections.abc import Callable

from lakehouse.errors import Stop
from lakehouse.lake import Decision, Outcome, decide, read_outcomes
from lakehouse.settings import Settings


def accept(settings: Settings, delivery: str, by: str, why: str) -> Outcome:
    """Accept a delivery that was rejected as implausible: the next run takes it in as it is.

    Parameters
    ----------
    delivery : str
        Its id, as ``ops.deliveries`` and the reason have it.
    by, why : str
        Who decides, and the reason; both are kept in the lake.

    Raises
    ------
    Stop
        If there is no such delivery, it was not rejected, or no name is given.
    """
    outcome = _decided(settings, delivery, by, why, lambda outcome: outcome.outcome == "rejected", "was not rejected")
    decide(settings.lake, "acceptances", outcome, Decision(by.strip(), why.strip()))
    return outcome


def retract(settings: Settings, delivery: str, by: str, why: str) -> Outcome:
    """Take back a delivery that was loaded, as if it had not come: the next run builds again what it touched.

    Raises
    ------
    Stop
        If there is no such delivery, it does not count, or no name is given.
    """
    outcome = _decided(settings, delivery, by, why, lambda outcome: outcome.is_loaded, "does not count as it is")
    decide(settings.lake, "retractions", outcome, Decision(by.strip(), why.strip()))
    return outcome


def _decided(
    settings: Settings, delivery: str, by: str, why: str, may_be: Callable[[Outcome], bool], what_if_not: str
) -> Outcome:
    if not (by.strip() and why.strip()):
        raise Stop("a decision needs a name and a reason", "give --by and --why")
    outcomes = {outcome.delivery_id: outcome for outcome in read_outcomes(settings.lake)}
    if delivery not in outcomes:
        raise Stop(f"there is no delivery {delivery}", "ops.deliveries and c360 status have the ids")
    if not may_be(outcomes[delivery]):
        raise Stop(f"{delivery} {what_if_not}: it is {outcomes[delivery].outcome}")
    return outcomes[delivery]
