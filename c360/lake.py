"""The lake: immutable files that appear by one atomic rename, and the pin, the list of deliveries a run reads."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date
from functools import cache
from pathlib import Path
from uuid import uuid4

from c360.contracts import load_feeds


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
        return f"{self.feed}/{self.period}/v{self.version}-{self.source_hash[:12]}"

    @property
    def is_loaded(self) -> bool:
        return self.outcome != "rejected"


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
        return tuple(item for item in self.deliveries if item.outcome.feed == feed)


@dataclass(frozen=True)
class IntradayFile:
    """A lake file ``<first>-<last>.parquet``: the events of so many takes, counted per feed."""

    path: Path
    first: int
    last: int

    @classmethod
    def of(cls, path: Path) -> "IntradayFile":
        first, last = path.stem.split("-")
        return cls(path, int(first), int(last))

    def covers(self, other: "IntradayFile") -> bool:
        return self != other and self.first <= other.first and other.last <= self.last


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its name, whole, when the block ends; nothing appears if it fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def appearing_folder(folder: Path) -> Iterator[Path]:
    """A temporary folder beside ``folder`` that takes its name, whole, when the block ends.

    If another run was faster, its folder, which must have the same files, stays.
    """
    temporary = folder.with_name(f".{folder.name}.{uuid4().hex}.tmp")
    temporary.mkdir(parents=True)
    try:
        yield temporary
        try:
            os.rename(temporary, folder)
        except OSError:
            if not all((folder / made.name).exists() for made in temporary.iterdir()):
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_json(path: Path, content: object) -> None:
    """Write ``content`` as one file that appears whole; dates become ISO text."""
    with appearing(path) as temporary:
        temporary.write_text(json.dumps(content, default=str, ensure_ascii=False, indent=1))


def write_outcome(lake: Path, outcome: Outcome) -> None:
    """Keep the record of one delivery. Its last file to appear: a data file without it does not count."""
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
    """What one listing of the lake says was known by ``business_date``."""
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


def network_path(lake: Path, pin: Pin) -> Path:
    """The figures of the payment network, as of what was known by the pin's business date."""
    return lake / "network" / f"{pin.business_date}-{pin.hash}.parquet"


def change_points_path(lake: Path, pin: Pin) -> Path:
    """The change-points of customers' assets, as of what was known by the pin's business date."""
    return lake / "change_points" / f"{pin.business_date}-{pin.hash}.parquet"


def known_path(lake: Path, kind: str, pin: Pin) -> Path:
    """Says which ``forecasts`` or ``segments`` go with what was known by the pin's date, or why there are none."""
    return lake / kind / "known" / f"{pin.business_date}-{pin.hash}.json"


def segments_path(lake: Path, pin: Pin) -> Path:
    """The groups of the customers without a relationship manager, as of what was known by the pin's business date."""
    return lake / "segments" / f"{pin.business_date}-{pin.hash}.parquet"


def intraday_files(lake: Path, feed: str, first: date, last: date = date.max) -> list[IntradayFile]:
    """The lake files of a feed that hold events of ``first`` to ``last``, merged ones in place of those they cover.

    A file lies under the last business date of its events.
    """
    found = []
    for folder in sorted((lake / "intraday" / feed).glob("business_date=*")):
        if first <= date.fromisoformat(folder.name.removeprefix("business_date=")) <= last:
            found += current_files([IntradayFile.of(path) for path in folder.glob("[!.]*.parquet")])
    return found


def current_files(files: list[IntradayFile]) -> list[IntradayFile]:
    """Without those that a merged one covers, in the order of their takes."""
    current: list[IntradayFile] = []
    for file in sorted(files, key=lambda file: (file.first, -file.last)):
        if not (current and current[-1].covers(file)):
            current.append(file)
    return current


@cache
def _outcome(path: Path) -> Outcome:
    """Read once by a process: it is written once, never changed."""
    raw = json.loads(path.read_text())
    for name in ("cutoff_date", "min_business_date", "max_business_date"):
        raw[name] = date.fromisoformat(raw[name]) if raw[name] else None
    return Outcome(**{**raw, "files": tuple(raw["files"])})
