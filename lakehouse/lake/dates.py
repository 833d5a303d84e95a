"""Business dates: which of them exist, which a run builds, and which dates have features and scores.

All of it follows from the deliveries; a day on which the bank delivered nothing is no business date.
"""

import json
from calendar import monthrange
from collections.abc import Collection, Iterable
from datetime import date, timedelta
from pathlib import Path

from lakehouse.lake.deliveries import Outcome, Pin

FEATURE_HISTORY = timedelta(days=180)


def landed_dates(
    landing: Path, refused: Collection[tuple[str, date]] = (), taken: Iterable[Outcome] = ()
) -> list[date]:
    """The business dates of the landing folder, in order: the end of the initial load, and every daily cut-off.

    Parameters
    ----------
    refused : collection of tuple
        (name of the manifest, cut-off) of deliveries that make no business date.
    taken : iterable of Outcome
        Of the lake: what was loaded makes a business date when the landing folder has it no more, too.
    """
    loads: dict[str, set[date]] = {"initial": set(), "daily": set()}
    for outcome in taken:
        if outcome.is_loaded:
            loads[outcome.load].add(outcome.cutoff_date)
    for path in landing.glob("*/*.manifest.json"):
        try:
            manifest = json.loads(path.read_text())
            cutoff = date.fromisoformat(manifest["cutoff_at"][:10])
            if (path.name, cutoff) not in refused:
                loads[manifest["load"]].add(cutoff)
        except (ValueError, KeyError, TypeError):
            continue  # ingestion rejects it with its reason
    return sorted(_dates(**loads))


def built_dates(pin: Pin) -> list[date]:
    """The business dates up to the pin's, in order: each has features and scores."""
    outcomes = [item.outcome for item in pin.deliveries]
    return sorted(
        _dates(
            initial={o.cutoff_date for o in outcomes if o.load == "initial"},
            daily={o.cutoff_date for o in outcomes if o.load == "daily"},
        )
    )


def first_business_date(pin: Pin) -> date:
    """The earliest business date in any delivery; the pin must hold one with business dates."""
    return min(item.outcome.min_business_date for item in pin.deliveries if item.outcome.min_business_date)


def as_of_grid(pin: Pin) -> list[date]:
    """The dates that have features: every month-end with enough history before it, and every built date."""
    month_ends, day = [], (first_business_date(pin) + FEATURE_HISTORY).replace(day=1)
    while (end := month_end(day)) <= pin.business_date:
        month_ends.append(end)
        day = end + timedelta(days=1)
    return sorted({*month_ends, *built_dates(pin)})


def month_end(day: date) -> date:
    """The last day of the month.

    >>> month_end(date(2024, 2, 5))
    datetime.date(2024, 2, 29)
    """
    return day.replace(day=monthrange(day.year, day.month)[1])


def training_date(business_date: date) -> date:
    """The last month-end that is not after ``business_date``.

    >>> training_date(date(2026, 1, 30)), training_date(date(2026, 1, 31))
    (datetime.date(2025, 12, 31), datetime.date(2026, 1, 31))
    """
    if business_date == month_end(business_date):
        return business_date
    return business_date.replace(day=1) - timedelta(days=1)


def _dates(initial: set[date], daily: set[date]) -> set[date]:
    """An initial load has many cut-offs, one per month; its last one is a business date."""
    return daily | ({max(initial)} if initial else set())
