"""Outcomes of deliveries, and the pin: the list of deliveries that a run reads."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from lakehouse.contracts import load_feeds
from lakehouse.lake.files import write_json


@dataclass(frozen=True)
class Outcome:
    """What became of one delivery; written once, never changed."""

    feed: str
    channel: str
    period: str  # "2026-01" (initial load) or "2026-01-05"
    version: int
    load: str  # "initial", "daily"
    source_hash: str  # 64 hex digits over the manifest and the data files as they landed
    cutoff_date: date
    outcome: str  # "loaded", "replaced" (an earlier version), "rejected"
    reason: str | None
    rows_delivered: int | None
    rows_loaded: int
    rows_quarantined: int
    min_business_date: date | None
    max_business_date: date | None
    late_rows: int
    lake_file: str | None  # relative to the lake
    quarantine_file: str | None  # relative to the lake; None without rejects
    files: tuple[str, ...]

    @property
    def delivery_id(self) -> str:
        """Feed, period, version and 12 digits of the hash: what records and messages call it."""
        return f"{self.feed}/{self.period}/v{self.version}-{self.source_hash[:12]}"

    @property
    def is_loaded(self) -> bool:
        """Whether its rows are in the lake."""
        return self.outcome != "rejected"

    def rows_path(self, lake: Path) -> Path:
        """The file with the rows of a loaded delivery."""
        assert self.lake_file is not None, f"{self.delivery_id} was rejected"
        return lake / self.lake_file


@dataclass(frozen=True)
class PinnedDelivery:
    """A loaded delivery, and the business date from which a newer version or snapshot takes its place."""

    outcome: Outcome
    superseded_date: date | None


@dataclass(frozen=True)
class Pin:
    """Every delivery known by the business date: what a run reads, and nothing else."""

    business_date: date
    deliveries: tuple[PinnedDelivery, ...]
    rejected: tuple[Outcome, ...]

    @property
    def hash(self) -> str:
        """12 hex digits that name the content known by the business date."""
        ids = "\n".join(sorted(item.outcome.delivery_id for item in self.deliveries))
        return hashlib.sha256(ids.encode()).hexdigest()[:12]

    def of(self, feed: str) -> tuple[PinnedDelivery, ...]:
        """The deliveries of one feed."""
        return tuple(item for item in self.deliveries if item.outcome.feed == feed)


def write_outcome(lake: Path, outcome: Outcome) -> None:
    """Write the record of one delivery, its last file to appear: a data file without a record does not count."""
    name = f"{outcome.period}.v{outcome.version}-{outcome.source_hash[:12]}.json"
    write_json(lake / "deliveries" / outcome.feed / name, asdict(outcome))


def read_outcomes(lake: Path, feed: str = "*") -> list[Outcome]:
    """All outcome records of one feed, or of all, ordered by feed, period, version and hash."""
    records = [_outcome(path) for path in (lake / "deliveries").glob(f"{feed}/[!.]*.json")]
    return sorted(records, key=lambda o: (o.feed, o.period, o.version, o.source_hash))


def pin(lake: Path, business_date: date) -> Pin:
    """List the lake once, as known by ``business_date``."""
    return pin_of(read_outcomes(lake), business_date)


def pin_of(outcomes: Iterable[Outcome], business_date: date) -> Pin:
    """The deliveries of one listing of the lake that were known by ``business_date``."""
    known = [outcome for outcome in outcomes if outcome.cutoff_date <= business_date]
    loaded = [outcome for outcome in known if outcome.is_loaded]
    feeds = load_feeds()
    series: dict[tuple[str, ...], list[Outcome]] = {}
    for outcome in loaded:
        key = (outcome.feed,) if feeds[outcome.feed].is_snapshot else (outcome.feed, outcome.period)
        series.setdefault(key, []).append(outcome)
    deliveries = []
    for versions in series.values():
        versions.sort(key=lambda o: (o.period, o.version))
        for version, newer in zip(versions, [*versions[1:], None], strict=True):
            superseded = None if newer is None else max(version.cutoff_date, newer.cutoff_date)
            deliveries.append(PinnedDelivery(version, superseded))
    return Pin(business_date, tuple(deliveries), tuple(outcome for outcome in known if not outcome.is_loaded))


@cache
def _outcome(path: Path) -> Outcome:
    """Read once per process: the file never changes."""
    raw: dict[str, Any] = json.loads(path.read_text())
    for name in ("cutoff_date", "min_business_date", "max_business_date"):
        raw[name] = date.fromisoformat(raw[name]) if raw[name] else None
    raw["files"] = tuple(raw["files"])
    return Outcome(**raw)
