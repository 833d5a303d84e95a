"""Writing down what a publish shows that the ones before it did not."""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path

from lakehouse.lake.figures.gathering import gather
from lakehouse.lake.figures.records import Cause, FigureRecord, Key, write_record


def write_figures(
    lake: Path, publish_id: int, business_date: date, shown: Mapping[Key, Decimal], causes: Iterable[Cause]
) -> None:
    """Write the record of a publish, from all figures that it shows."""
    before = gather(lake, publish_id).latest
    changes: dict[Key, Decimal | None] = {key: value for key, value in shown.items() if before.get(key) != value}
    changes |= {key: None for key, value in before.items() if value is not None and key not in shown}
    write_record(lake, FigureRecord(publish_id, business_date, changes, tuple(causes)))
