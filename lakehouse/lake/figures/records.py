"""A record per publish, of the figures that it showed otherwise than the ones before it, date by date.

A record has the figures that differ from those of all records before it, so it grows with the day and not with
history; what was shown of a date before is in an older one.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

from lakehouse.errors import Stop
from lakehouse.lake.files import write_json

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


def write_record(lake: Path, record: FigureRecord) -> None:
    """Let the record of a publish appear."""
    content = {
        "publish_id": record.publish_id,
        "business_date": record.business_date,
        "changes": [[*key, value] for key, value in sorted(record.changes.items())],
        "causes": [asdict(cause) for cause in record.causes],
    }
    write_json(lake / FOLDER / f"{record.publish_id:08}.json", json.loads(json.dumps(content, default=str)))


def record_files(lake: Path) -> list[Path]:
    """The files of the records, in the order of the publishes."""
    return sorted((lake / FOLDER).glob("[!.]*.json"))


def read_record(path: Path) -> FigureRecord:
    """The record in a file; raises `Stop` if it is damaged."""
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
