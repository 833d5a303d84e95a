"""The list of pairs that look alike and are two customers, as the linkage of a date left it."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq

from lakehouse import lake
from lakehouse.lake.places import review_file, xref_file
from lakehouse.settings import Settings


@dataclass(frozen=True)
class Pair:
    """Two party records, the customers that they belong to, and why nobody has joined them."""

    left: str
    right: str
    left_customer: str
    right_customer: str
    match_weight: float  # bits
    reason: str
    known_from: date


def doubtful_pairs(settings: Settings, day: date) -> list[Pair]:
    """The pairs of a published date, by their records."""
    path = linked_file(settings, day)
    if path is None:
        return []
    return [
        Pair(
            row["left_party_key"],
            row["right_party_key"],
            row["left_customer_key"],
            row["right_customer_key"],
            row["match_weight"],
            row["reason"],
            row["known_from"],
        )
        for row in pq.read_table(review_file(path)).to_pylist()
    ]


def linked_file(settings: Settings, day: date) -> Path | None:
    """The cross-reference of a date: of what is known of it now, else (something has come since) the last one made."""
    path = xref_file(settings.lake, lake.pin(settings.lake, day))
    if path.exists():
        return path
    made = [path for path in path.parent.glob(f"{day}-*.parquet") if review_file(path).exists()]
    return max(made, key=lambda path: path.stat().st_mtime, default=None)
