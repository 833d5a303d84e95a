"""What every whole publish showed of the bank's main figures, date by date: a record per publish, of what changed.

A record has the figures that differ from those of all records before it, so it grows with the day and not with
history; what was shown of a date before is in an older one.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

from lakehouse.contracts import load_feeds
from lakehouse.errors import Stop
from lakehouse.lake.deliveries import Outcome, Pin
from lakehouse.lake.files import write_json
from lakehouse.lake.publishes import read_publish

FOLDER = "figures"
Key = tuple[str, str, date]  # table, measure, date of the figure


@dataclass(frozen=True)
class Cause:
    """A delivery whose fate is another than at the publish before."""

    delivery_id: str
    change: str  # "came", or "retracted" (or gone in another way)
    first_date: date | None  # earliest date of its rows and of those that it replaced; None: a snapshot, or not known


@dataclass(frozen=True)
class FigureRecord:
    """What one publish showed that the ones before it did not; written once, never changed."""

    publish_id: int
    business_date: date
    changes: Mapping[Key, Decimal | None]  # None: the figure is no more
    causes: tuple[Cause, ...]


def write_figures(
    lake: Path, publish_id: int, business_date: date, shown: Mapping[Key, Decimal], causes: Iterable[Cause]
) -> None:
    """Write the record of a publish, from all figures that it shows."""
    before = latest(record for record in read_figures(lake) if record.publish_id < publish_id)
    changes = {key: value for key, value in shown.items() if before.get(key) != value}
    changes |= {key: None for key, value in before.items() if value is not None and key not in shown}
    content = {
        "publish_id": publish_id,
        "business_date": business_date,
        "changes": [[*key, value] for key, value in sorted(changes.items())],
        "causes": [asdict(cause) for cause in causes],
    }
    write_json(lake / FOLDER / f"{publish_id:08}.json", json.loads(json.dumps(content, default=str)))


def read_figures(lake: Path) -> list[FigureRecord]:
    """The records of all publishes, in their order."""
    return [_read(path) for path in sorted((lake / FOLDER).glob("[!.]*.json"))]


def latest(records: Iterable[FigureRecord]) -> dict[Key, Decimal | None]:
    """The figures as the last of the records leaves them."""
    figures: dict[Key, Decimal | None] = {}
    for record in records:
        figures |= record.changes
    return figures


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


def _read(path: Path) -> FigureRecord:
    try:
        raw = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise Stop(f"{path}: the record of a publish's figures is damaged", "put it back from a backup") from error
    return FigureRecord(
        publish_id=raw["publish_id"],
        business_date=date.fromisoformat(raw["business_date"]),
        changes={
            (table, measure, date.fromisoformat(day)): None if value is None else Decimal(value)
            for table, measure, day, value in raw["changes"]
        },
        causes=tuple(
            Cause(one["delivery_id"], one["change"], one["first_date"] and date.fromisoformat(one["first_date"]))
            for one in raw["causes"]
        ),
    )
