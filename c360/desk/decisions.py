"""What clerks decided of pairs: rows of the feed ``identity_decisions``, with a name on each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import uuid4

from lakehouse.contracts import load_deployment
from lakehouse.errors import Stop
from lakehouse.ingestion import additions
from lakehouse.ingestion.decisions import decision_of
from lakehouse.settings import Settings

FEED = "identity_decisions"
KINDS = ("same", "different", "withdrawn")
Names = tuple[str, str]  # of two party records, in order


@dataclass(frozen=True)
class Decided:
    """The last word of a clerk on a pair."""

    left: str
    right: str
    kind: str  # one of `KINDS`
    decided_by: str
    note: str
    day: date  # from which it counts


def names_of(left: str, right: str) -> Names:
    """A pair has no left and no right: the decision on one is that on the other."""
    return (left, right) if left < right else (right, left)


def decisions(settings: Settings) -> dict[Names, Decided]:
    """The last word on each pair, handed in or in force."""
    found: dict[Names, Decided] = {}
    for rows in additions.handed_in(settings, FEED).values():
        for row in sorted(rows, key=_order):
            pair = names_of(row["left_party_key"], row["right_party_key"])
            found[pair] = Decided(
                *pair, row["decision"], row["decided_by"], row["note"], date.fromisoformat(row["business_date"])
            )
    return found


def decide(settings: Settings, day: date, left: str, right: str, kind: str, by: str, why: str) -> Decided:
    """Land a decision as one more row of a day's delivery; it counts from that day's run, a later one corrects it.

    Raises
    ------
    Stop
        If no name or reason is given, or it is no decision.
    """
    person = decision_of(by, " ".join(why.split()))
    load_deployment(settings.deployment).require(FEED)
    if kind not in KINDS:
        raise Stop(f"{kind} is no decision", f"give one of {', '.join(KINDS)}")
    left, right = names_of(left, right)
    with additions.adding(settings, FEED):
        before = additions.handed_in(settings, FEED).get(str(day), [])
        row = row_of(day, left, right, kind, before) | {"decided_by": person.by, "note": person.why}
        additions.hand_in(settings, FEED, day, [*before, row])
    return Decided(left, right, kind, person.by, person.why, day)


def row_of(day: date, left: str, right: str, kind: str, before: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """A row of the feed that is the last word on its pair among the rows of the day: the linkage goes by their ids."""
    pair = names_of(left, right)
    number = f"desk:{day}:{len(before) + 1:06}:{uuid4().hex[:8]}"
    said = [row["decision_id"] for row in before if names_of(row["left_party_key"], row["right_party_key"]) == pair]
    last = max(said, default="")
    return {
        "decision_id": number if number > last else f"{last}:{number}",
        "business_date": str(day),
        "left_party_key": pair[0],
        "right_party_key": pair[1],
        "decision": kind,
    }


def _order(row: Mapping[str, str]) -> tuple[str, str]:
    """As the linkage orders decisions of one day."""
    return row["business_date"], row["decision_id"]
