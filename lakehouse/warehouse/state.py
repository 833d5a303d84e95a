"""The build state as text, for the one row of ``raw._state``."""

import json
from dataclasses import asdict
from datetime import date

from lakehouse.warehouse.changes import BuildState, Built


def to_text(state: BuildState) -> str:
    """JSON; dates become ISO text."""
    return json.dumps(asdict(state), default=str)


def from_text(text: str) -> BuildState:
    """The inverse of ``to_text``."""
    raw = json.loads(text)
    deliveries = {
        delivery: Built(**{name: day and date.fromisoformat(day) for name, day in built.items()})
        for delivery, built in raw["deliveries"].items()
    }
    return BuildState(date.fromisoformat(raw["business_date"]), deliveries, raw["identity"], raw["project"])
