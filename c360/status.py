"""The state of an installation, read from the lake and the stores; nothing is written."""

import json
from collections import Counter
from dataclasses import dataclass
from datetime import date
from typing import Any

from lakehouse import warehouse
from lakehouse.lake import read_outcomes
from lakehouse.settings import Settings

LAST_STEPS = 12


@dataclass(frozen=True)
class Status:
    """What is built, what is published, deliveries by outcome, and the newest steps of runs."""

    target: str
    built: date | str | None  # the business date, or the run that is building
    published: date | None
    deliveries: dict[str, int]  # outcome -> count
    rejected: dict[str, str | None]  # delivery -> reason
    steps: list[dict[str, Any]]  # fields of run records, the newest last


def read_status(settings: Settings) -> Status:
    """The status of the installation, also while a run is building."""
    built: date | str | None
    try:
        state = warehouse.read_state(settings, wait=1)
        built = state.business_date if state else None
    except warehouse.EngineLocked as busy:
        built = str(busy)
    outcomes = read_outcomes(settings.lake)
    records = [json.loads(path.read_text()) for path in (settings.lake / "runs").glob("*/[!.]*.json")]
    newest = sorted(records, key=lambda record: record["ended_at"])[-LAST_STEPS:]
    return Status(
        target=settings.target,
        built=built,
        published=warehouse.published_date(settings),
        deliveries=dict(Counter(outcome.outcome for outcome in outcomes)),
        rejected={outcome.delivery_id: outcome.reason for outcome in outcomes if not outcome.is_loaded},
        steps=[
            {name: record[name] for name in ("business_date", "step", "status", "ended_at", "error")}
            for record in newest
        ],
    )
