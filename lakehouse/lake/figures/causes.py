"""Which deliveries came or went between two publishes: what may have restated a figure."""

from collections.abc import Iterable
from datetime import date
from pathlib import Path

from lakehouse.contracts import load_feeds
from lakehouse.errors import Stop
from lakehouse.lake.deliveries import Outcome, Pin
from lakehouse.lake.figures.records import Cause
from lakehouse.lake.publishes import read_publish


def causes_since_publish(lake: Path, pin: Pin) -> tuple[Cause, ...]:
    """What is known by the pin and was not at the last publish, and the other way round; nothing before the first."""
    try:
        last = read_publish(lake)
    except Stop:
        return ()
    now = {item.outcome.delivery_id for item in pin.deliveries}
    known = {outcome.delivery_id: outcome for outcome in (*pin.rejected, *(item.outcome for item in pin.deliveries))}
    firsts = _first_dates(known.values())
    changes = dict.fromkeys(now - set(last.deliveries), "came")
    changes |= dict.fromkeys(set(last.deliveries) - now, "retracted")
    return tuple(
        Cause(name, change, firsts.get((known[name].feed, known[name].period)) if name in known else None)
        for name, change in sorted(changes.items())
    )


def _first_dates(outcomes: Iterable[Outcome]) -> dict[tuple[str, str], date]:
    """Feed and period -> the earliest business date in any version of it: a row that a correction leaves out counts.

    Snapshots have none: they say something of all dates.
    """
    firsts: dict[tuple[str, str], date] = {}
    for one in outcomes:
        if one.min_business_date and not load_feeds()[one.feed].is_snapshot:
            key = one.feed, one.period
            firsts[key] = min(firsts.get(key, date.max), one.min_business_date)
    return firsts
