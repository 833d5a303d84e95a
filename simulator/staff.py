"""What the bank's people send back in the evening: a clerk's decision, what became of yesterday's calls, and tags.

They read what any clerk and any caller would: the list of doubtful pairs, and the worklist.
"""

from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from lakehouse import tags, warehouse
from lakehouse.ingestion import additions
from lakehouse.settings import Settings
from simulator.draws import Draws

_DECIDED, _CALLS = 3, 60  # pairs that a clerk gets to, and actions that the bank does, in a day
_OUTCOMES = {"reached": 0.40, "not_reached": 0.35, "promised": 0.10, "refused": 0.10, "accepted": 0.05}
_CHANNELS = {"phone": "phone", "branch": "visit"}  # anything else is a message
_TAG_DAYS = 180  # for which a tag is defined
_TAGS = {  # tag -> owner, description, conditions
    "affluent_by_app": (
        "wealth desk",
        "Stars 4 and more who turn to the bank by app: the fund week's invitation",
        ("star_tier >= 4", "contact_policy.preferred_channel = app"),
    ),
    "quiet_deposits": (
        "deposits desk",
        "Deposits of 50,000 and more, nothing done for 30 days: the manager's call",
        ("deposit_amount >= 50000", "last_activity_date not in last days 30"),
    ),
}


def decide(settings: Settings, truth: Path, day: date) -> str:
    """Land a clerk's decisions on the pairs that look most alike of those that were not joined; they never err.

    Parameters
    ----------
    settings
        Of an installation that has built the business date before ``day``.
    truth
        Folder that ``generate`` wrote.

    Returns
    -------
    str
        What was decided, as a line of text.
    """
    people = pq.read_table(truth / "persons.parquet")
    person_of = dict(zip(people["party_key"].to_pylist(), people["person_id"].to_pylist(), strict=True))
    pairs = warehouse.query(
        settings,
        "select left_party_key, right_party_key from pii.identity_review "
        f"order by match_weight desc nulls last, left_party_key, right_party_key limit {_DECIDED}",
    ).to_pylist()
    rows = [
        {
            "decision_id": f"D{day:%Y%m%d}{number}",
            "business_date": day,
            **pair,
            "decision": "same" if len({person_of[key] for key in pair.values()}) == 1 else "different",
            "decided_by": "S0001",
            "note": "papers compared",
        }
        for number, pair in enumerate(pairs, 1)
    ]
    additions.add(settings, "identity_decisions", day, rows)
    counts = Counter(row["decision"] for row in rows)
    return f"a clerk decides {len(rows)} doubtful pairs: {', '.join(f'{n} {what}' for what, n in counts.items())}"


def call(settings: Settings, seed: int, day: date) -> str:
    """Land what became of the actions on the worklist of the last published date; a held-back one is reported, too.

    Returns
    -------
    str
        How the actions ended, as a line of text.
    """
    actions = warehouse.query_serving(
        settings,
        "select source as action_kind, business_date as action_date, customer_key as party_key, arm, channel "
        "from actions.worklist where arm is not null and channel <> 'internal' "
        f"order by priority, expected_amount desc nulls last, action_id limit {_CALLS}",
    ).to_pylist()
    drawn = Draws(seed).choice(list(_OUTCOMES.values()), "staff", day.toordinal(), np.arange(len(actions)))
    rows = [
        action
        | {
            "outcome_id": f"R{day:%Y%m%d}{number:04}",
            "business_date": day,
            "is_done": str(action["arm"] == "treatment").lower(),
            "outcome": list(_OUTCOMES)[choice] if action["arm"] == "treatment" else "",
            "channel": _CHANNELS.get(action["channel"], "message") if action["arm"] == "treatment" else "",
        }
        for number, (action, choice) in enumerate(zip(actions, drawn.tolist(), strict=True), 1)
    ]
    additions.add(settings, "action_outcomes", day, rows)
    counts = Counter(str(row["outcome"]).replace("_", " ") or "held back" for row in rows)
    return f"the bank reports {len(rows)} actions: {', '.join(f'{n} {what}' for what, n in counts.most_common())}"


def tag(settings: Settings, day: date) -> str:
    """Hand in the tags that two desks have defined, to count from a day on that is not published yet.

    Returns
    -------
    str
        What was defined, as a line of text.
    """
    for name, (owner, description, conditions) in _TAGS.items():
        definition = tags.Definition.of(
            tag=name,
            description=description,
            owner=owner,
            conditions=tuple(map(tags.condition_of, conditions)),
            expires_date=day + timedelta(days=_TAG_DAYS),
        )
        tags.save(settings, definition, day, "S0002")
    return f"two desks define tags: {', '.join(_TAGS)}"
