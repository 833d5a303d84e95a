"""For whoever sends a file: what would become of it, and how it is put into the landing folder with its manifest."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from lakehouse.contracts import Feed, load_deployment, load_feeds
from lakehouse.errors import Stop
from lakehouse.ingestion.feeds import check_place
from lakehouse.ingestion.landing import (
    Delivery,
    File,
    Landed,
    Manifest,
    Period,
    Rejected,
    deliveries,
    is_period,
    measure_file,
)
from lakehouse.ingestion.loading import Rehearsal, connection, rehearse
from lakehouse.lake import Outcome, appearing, read_outcomes, write_json
from lakehouse.settings import Settings

_GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class Draft:
    """The delivery that a file would be, and what would become of it."""

    delivery: Delivery
    findings: Rehearsal

    @property
    def name(self) -> str:
        """The data file's name in the landing folder."""
        return self.delivery.readable_manifest.files[0].name


def check(settings: Settings, source: Path, feed: str, period: str) -> Draft:
    """Say what would become of a file, as the next version of its feed's period; nothing is written.

    Parameters
    ----------
    source : Path
        The file, as the contract has it.
    period : str
        A day ("2026-01-05"), or the month of an initial load ("2026-01").

    Raises
    ------
    Stop
        If there is no such feed or period, or the file would be rejected before its rows are read.
    """
    contract = _contract(feed)
    if not is_period(period):
        raise Stop(f"{period} is no period", "give a day such as 2026-01-05, or the month of an initial load, 2026-01")
    outcomes = read_outcomes(settings.lake, feed)
    draft = _delivery(settings, contract, Period(period), _next_version(settings, feed, period, outcomes))
    try:
        check_place(draft, "", [outcome for outcome in outcomes if outcome.is_loaded])
        with connection(settings) as con:
            return Draft(draft, rehearse(con, contract, draft, [_landed(source, contract)]))
    except Rejected as rejected:
        raise Stop(str(rejected)) from rejected


def land(settings: Settings, source: Path, feed: str, period: str) -> Draft:
    """Put a file into the landing folder, then its manifest: the row count and the sums are those of the file.

    Raises
    ------
    Stop
        If the file would be rejected; nothing is written then.
    """
    draft = check(settings, source, feed, period)
    if draft.findings.problem:
        raise Stop(draft.findings.problem)
    with appearing(draft.delivery.path.with_name(draft.name)) as temporary:
        shutil.copyfile(source, temporary)
        copied = measure_file(temporary)
    manifest = draft.delivery.readable_manifest.model_copy(
        update={
            "row_count": draft.findings.rows,
            "control_sums": draft.findings.control_sums,
            "files": [File(name=draft.name, bytes=copied.bytes, sha256=copied.sha256)],
        }
    )
    write_json(draft.delivery.path, manifest.model_dump(mode="json"))
    return draft


def _contract(feed: str) -> Feed:
    try:
        return load_feeds()[feed]
    except KeyError:
        raise Stop(f"there is no feed {feed}", f"give one of {', '.join(load_feeds())}") from None


def _landed(source: Path, feed: Feed) -> Landed:
    try:
        with source.open("rb") as file:
            is_gzip = file.read(len(_GZIP)) == _GZIP
    except OSError as error:
        raise Stop(f"{source} cannot be read: {error.strerror}") from error
    if feed.format != "delimited" and not is_gzip:
        raise Stop(f"{source}: {feed.name} comes as compressed JSON Lines", "compress the file by gzip")
    return measure_file(source)


def _next_version(settings: Settings, feed: str, period: str, outcomes: list[Outcome]) -> int:
    """One more than the highest that has landed or was taken in."""
    landed = [delivery.version for delivery in deliveries(settings.landing, feed) if delivery.period.text == period]
    taken = [outcome.version for outcome in outcomes if outcome.period == period]
    return 1 + max([0, *landed, *taken])


def _delivery(settings: Settings, feed: Feed, period: Period, version: int) -> Delivery:
    """The delivery with a manifest that does not know rows, sums and bytes yet."""
    name = f"{feed.name}_{period.text}_v{version}"
    offset = load_deployment(settings.deployment).utc_offset
    manifest = Manifest(
        feed=feed.name,
        period=period.text,
        version=version,
        load="daily" if period.start == period.end else "initial",
        cutoff_at=f"{period.end}T23:59:59{offset}",  # type: ignore[arg-type]  # read as text, to keep the offset
        row_count=0,
        control_sums=dict.fromkeys(feed.control_sums, 0),
        files=[File(name=f"{name}.{'dat' if feed.format == 'delimited' else feed.format}", bytes=0, sha256="0" * 64)],
    )
    return Delivery(feed.name, period, version, settings.landing / feed.name / f"{name}.manifest.json", manifest, None)
