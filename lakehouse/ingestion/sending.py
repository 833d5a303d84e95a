"""For whoever sends a file: what would become of it, and how it is put into the landing folder with its manifest."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lakehouse.contracts import Feed, load_deployment, load_feeds
from lakehouse.errors import Stop
from lakehouse.ingestion.agreement import unknown_values
from lakehouse.ingestion.decisions import override_of
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
from lakehouse.ingestion.loading import GOOD_ROWS, Rehearsal, connection, rehearse
from lakehouse.ingestion.plausibility import Implausible, check_cutoff, check_encoding, check_shrunk
from lakehouse.lake import Outcome, appearing, decide, pin_of, read_outcomes, write_json
from lakehouse.settings import Settings

_GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class Draft:
    """The delivery that a file would be, and what would become of it."""

    delivery: Delivery
    findings: Rehearsal
    implausible: str | None  # why it would wait for a person, though it is well formed
    unknown: dict[str, int]  # rows, by column, that refer to what no delivery that was taken in has told

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
    loaded = [outcome for outcome in outcomes if outcome.is_loaded]
    try:
        check_place(draft, "", loaded)
        with connection(settings) as con:
            landed = _landed(source, contract)
            findings = rehearse(con, contract, draft, [landed])
            known = pin_of(read_outcomes(settings.lake), draft.cutoff_date)
            unknown = unknown_values(con, settings.lake, known, contract, GOOD_ROWS)
    except Rejected as rejected:
        raise Stop(str(rejected)) from rejected
    return Draft(draft, findings, _implausible(contract, draft, landed, findings, loaded), unknown)


def land(settings: Settings, source: Path, feed: str, period: str, by: str = "", why: str = "") -> Draft:
    """Put a file into the landing folder, then its manifest: the row count and the sums are those of the file.

    Parameters
    ----------
    by, why : str, optional
        Who accepts the file as it is, and the reason, where it is well formed and looks wrong.

    Raises
    ------
    Stop
        If the file would be rejected, or looks wrong and nobody accepts it; nothing is written then.
    """
    contract, draft = _contract(feed), check(settings, source, feed, period)
    if draft.findings.problem:
        raise Stop(draft.findings.problem)
    if draft.implausible and not (by or why):
        raise Stop(draft.implausible, "or, if it is right, give --by and --why")
    decision = override_of(settings, by, why, None) if draft.implausible else None
    with appearing(draft.delivery.path.with_name(draft.name)) as temporary:
        shutil.copyfile(source, temporary)
        copied = measure_file(temporary, contract.delimiter)
    manifest = draft.delivery.readable_manifest.model_copy(
        update={
            "row_count": draft.findings.rows,
            "control_sums": draft.findings.control_sums,
            "files": [File(name=draft.name, bytes=copied.bytes, sha256=copied.sha256)],
        }
    )
    write_json(draft.delivery.path, manifest.model_dump(mode="json"))
    if decision:
        (sent,) = (delivery for delivery in deliveries(settings.landing, feed) if delivery.path == draft.delivery.path)
        decide(settings.lake, "acceptances", sent.id_of(sent.declared_hash or ""), decision)
    return draft


def _implausible(
    feed: Feed, delivery: Delivery, landed: Landed, findings: Rehearsal, loaded: Sequence[Outcome]
) -> str | None:
    """Why the delivery would be rejected until a person accepts it."""
    try:
        check_cutoff(delivery, loaded)
        check_encoding(feed, [landed])
        check_shrunk(feed, delivery, findings.rows - findings.bad_rows, loaded)
    except Implausible as implausible:
        return str(implausible)
    return None


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
    return measure_file(source, feed.delimiter)


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
