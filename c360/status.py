"""The state of an installation, read from the lake and the stores; nothing is written."""

import json

from lakehouse import warehouse
from lakehouse.lake import read_outcomes
from lakehouse.settings import Settings

LAST_STEPS = 12


def read_status(settings: Settings) -> dict:
    """What is built, what is published, deliveries by outcome, and the newest steps of runs.

    Returns
    -------
    dict
        ``target``, ``built``, ``published`` (business dates or None; ``built`` names the run that is building),
        ``deliveries`` (outcome -> count), ``rejected`` (delivery -> reason), ``steps`` (newest last).
    """
    try:
        state = warehouse.read_state(settings, wait=1)
        built = state and state.business_date
    except warehouse.EngineLocked as busy:
        built = str(busy)
    outcomes = read_outcomes(settings.lake)
    counts: dict[str, int] = {}
    for outcome in outcomes:
        counts[outcome.outcome] = counts.get(outcome.outcome, 0) + 1
    records = [json.loads(path.read_text()) for path in (settings.lake / "runs").glob("*/[!.]*.json")]
    newest = sorted(records, key=lambda record: record["ended_at"])[-LAST_STEPS:]
    return {
        "target": settings.target,
        "built": built,
        "published": warehouse.published_date(settings),
        "deliveries": counts,
        "rejected": {outcome.delivery_id: outcome.reason for outcome in outcomes if not outcome.is_loaded},
        "steps": [
            {name: record[name] for name in ("business_date", "step", "status", "ended_at", "error")}
            for record in newest
        ],
    }
