"""Outcomes of deliveries, and the pin: the list of deliveries that a run reads."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Literal

from lakehouse.contracts import load_feeds
from lakehouse.errors import Stop
from lakehouse.lake.audit.sealing import replacing
from lakehouse.lake.files import json_text, write_json


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
    outcome: str  # "loaded", "replaced" (an earlier version), "rejected", "retracted"
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
    lake_sha256: str | None = None  # of the lake file as it was written; None: by a version that kept none
    quarantine_sha256: str | None = None
    rows_erased: int = 0  # delivered, and dropped for people who were erased
    is_erased: bool = False  # the delivery as it landed holds people who were erased: landing must not keep it

    @property
    def delivery_id(self) -> str:
        """Feed, period, version and 12 digits of the hash: what records and messages call it."""
        return f"{self.feed}/{self.period}/v{self.version}-{self.source_hash[:12]}"

    @property
    def is_loaded(self) -> bool:
        """Whether its rows are in the lake, and count."""
        return self.outcome in ("loaded", "replaced")

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


@dataclass(frozen=True)
class Decision:
    """What a person decided of a delivery, against what the rules alone would do."""

    by: str
    why: str
    signed_by: str | None = None  # the second name, where the deployment asks for one


def decide(lake: Path, kind: Literal["acceptances", "retractions"], delivery_id: str, decision: Decision) -> None:
    """Keep a person's decision: to accept what was rejected as implausible, or to take back what was loaded."""
    _keep_decision(lake, _decision_file(lake, kind, delivery_id), decision)


def is_accepted(lake: Path, delivery_id: str) -> bool:
    """Whether a person has accepted the delivery as it is."""
    return _decision_file(lake, "acceptances", delivery_id).exists()


def ask(lake: Path, delivery_id: str, sentence: str) -> None:
    """Note that a delivery which was loaded waits for a person to accept it, and why."""
    write_json(_decision_file(lake, "questions", delivery_id), {"why": sentence})


def is_asked(lake: Path, delivery_id: str) -> bool:
    """Whether a person was asked to accept the delivery, though it was loaded."""
    return _decision_file(lake, "questions", delivery_id).exists()


def accept_day(lake: Path, day: date, decision: Decision) -> None:
    """Keep that a person accepts a day on which no feed delivered."""
    _keep_decision(lake, _day_file(lake, day), decision)


def _keep_decision(lake: Path, path: Path, decision: Decision) -> None:
    replacing(lake, path, json_text(asdict(decision)), decision.by, "it was decided anew")
    write_json(path, asdict(decision))


def is_day_accepted(lake: Path, day: date) -> bool:
    """Whether a person has accepted that no feed delivered on the day."""
    return _day_file(lake, day).exists()


def _day_file(lake: Path, day: date) -> Path:
    return lake / "acceptances" / "days" / f"{day}.json"


def _decision_file(lake: Path, kind: str, delivery_id: str) -> Path:
    return lake / kind / f"{delivery_id}.json"


def write_outcome(lake: Path, outcome: Outcome, why: str = "the delivery was taken in again") -> None:
    """Write the record of one delivery, its last file to appear: a data file without a record does not count.

    Parameters
    ----------
    why : str
        What the audit says where there is a record already.
    """
    path, content = outcome_path(lake, outcome.delivery_id), asdict(outcome)
    replacing(lake, path, json_text(content), None, why)
    write_json(path, content)


def outcome_path(lake: Path, delivery_id: str) -> Path:
    """The file of the record of a delivery."""
    feed, period, version = delivery_id.split("/")
    return lake / "deliveries" / feed / f"{period}.{version}.json"


def read_outcome(lake: Path, delivery_id: str) -> Outcome:
    """The record of a delivery as it was taken in, whether or not it was retracted since.

    Raises
    ------
    Stop
        If there is none, or it cannot be read.
    """
    path = outcome_path(lake, delivery_id)
    if not path.exists():
        raise Stop(f"{path}: the record of a delivery is lost", "put it back from a backup")
    return _outcome(path, path.stat().st_mtime_ns)


def read_outcomes(lake: Path, feed: str = "*") -> list[Outcome]:
    """All outcome records of one feed, or of all, ordered by feed, period, version and hash."""
    paths = (lake / "deliveries").glob(f"{feed}/[!.]*.json")
    records = [_outcome(path, path.stat().st_mtime_ns) for path in paths]
    # One listing of what was retracted, mostly nothing: not a look for each record.
    retracted = set((lake / "retractions").rglob("[!.]*.json"))
    records = [_taken_back(lake, record, retracted) for record in records]
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


def _taken_back(lake: Path, outcome: Outcome, retracted: set[Path]) -> Outcome:
    """The outcome as a retraction leaves it, if there is one: as if the delivery had not come."""
    if not retracted or (path := _decision_file(lake, "retractions", outcome.delivery_id)) not in retracted:
        return outcome
    decision = Decision(**json.loads(path.read_text()))
    reason = f"retracted by {decision.by}: {decision.why}"
    return replace(outcome, outcome="retracted", reason=reason, rows_loaded=0, lake_file=None)


@cache
def _outcome(path: Path, _changed: int) -> Outcome:
    """Read once per process; a delivery that was rejected is recorded again when it is taken again.

    Raises
    ------
    Stop
        If the record cannot be read.
    """
    try:
        return outcome_of(path.read_text())
    except ValueError as error:
        remedy = "put it back from a backup, or remove it: the delivery is taken in again from the landing folder"
        raise Stop(f"{path}: the record of a delivery is damaged", remedy) from error


def outcome_of(text: str) -> Outcome:
    """The record of a delivery as its file has it; raises `ValueError` if it is none."""
    raw: dict[str, Any] = json.loads(text)
    for name in ("cutoff_date", "min_business_date", "max_business_date"):
        raw[name] = date.fromisoformat(raw[name]) if raw[name] else None
    raw["files"] = tuple(raw["files"])
    return Outcome(**raw)
