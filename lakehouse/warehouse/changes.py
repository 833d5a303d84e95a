"""What a run has to rebuild: pure functions of what the engine was built from and what is known now."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from lakehouse.contracts import load_feeds
from lakehouse.lake import Pin, PinnedDelivery


@dataclass(frozen=True)
class Built:
    """What the engine remembers of one delivery that it was built from."""

    superseded_date: date | None
    first_business_date: date | None  # None: a snapshot, or no rows
    first_known_date: date  # the earliest as-of date that can see a row of it


@dataclass(frozen=True)
class BuildState:
    """What the build engine holds: everything known by the business date, with the identity file of that pin."""

    business_date: date
    deliveries: dict[str, Built]
    identity: str  # the identity file, relative to the lake
    project: str  # the dbt project that built it (`lakehouse.warehouse.project_version`)

    @classmethod
    def of(cls, pin: Pin, xref: Path, project: str) -> "BuildState":
        """The state after a build from ``pin`` with the identity file ``xref``."""
        return cls(pin.business_date, _deliveries(pin), f"{xref.parent.name}/{xref.name}", project)


def dirty_from(state: BuildState | None, pin: Pin, business_date: date) -> date:
    """The earliest business date that was touched since ``state``, and never later than ``business_date``.

    Deliveries that were added, removed or superseded count with the first business date of their rows (the old version
    and the new one); snapshots, whose models are built whole, do not.
    """
    touched = [built.first_business_date for built in _changed(state, pin) if built.first_business_date]
    not_built = [state.business_date + timedelta(days=1)] if state else []
    return min(business_date, *touched, *not_built)


def as_of_dates_to_build(
    state: BuildState | None, pin: Pin, business_date: date, grid: Iterable[date]
) -> tuple[date, ...]:
    """The as-of dates of ``grid`` that can see something changed or were never built, and ``business_date`` itself."""
    known = [built.first_known_date for built in _changed(state, pin)]
    not_built = [state.business_date + timedelta(days=1)] if state else [date.min]
    earliest = min(known + not_built)
    return tuple(sorted({business_date, *(as_of for as_of in grid if as_of >= earliest)}))


def _changed(state: BuildState | None, pin: Pin) -> list[Built]:
    """Old and new versions of what changed; that a delivery was superseded is seen from that date on."""
    before, now = (state.deliveries if state else {}), _deliveries(pin)
    changed = []
    for delivery in before.keys() | now.keys():
        old, new = before.get(delivery), now.get(delivery)
        if old == new:
            continue
        if old and new:
            superseded = min(day for day in (old.superseded_date, new.superseded_date) if day)
            changed.append(Built(superseded, new.first_business_date, superseded))
        else:
            changed += [built for built in (old, new) if built]
    return changed


def _deliveries(pin: Pin) -> dict[str, Built]:
    return {item.outcome.delivery_id: _built(item) for item in pin.deliveries}


def _built(item: PinnedDelivery) -> Built:
    outcome, feed = item.outcome, load_feeds()[item.outcome.feed]
    first = None if feed.is_snapshot else outcome.min_business_date
    known = outcome.cutoff_date
    if outcome.load == "initial" and feed.is_snapshot:
        known = date(1900, 1, 1)
    elif outcome.load == "initial" and first:
        known = first + timedelta(days=feed.initial_lag_days)
    return Built(item.superseded_date, first, known)
