"""Take the deliveries of one feed, oldest first; each gets an outcome."""

import logging
import re
from collections.abc import Collection, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb

from lakehouse.contracts import Feed, load_feeds
from lakehouse.errors import Stop
from lakehouse.ingestion.erased import Erased
from lakehouse.ingestion.landing import (
    Delivery,
    Landed,
    Period,
    Rejected,
    check_arrived,
    check_unchanged,
    deliveries,
    measure,
    misnamed,
    remove,
)
from lakehouse.ingestion.loading import Figures, connection, load
from lakehouse.ingestion.plausibility import Implausible, check_cutoff, check_encoding, check_shrunk
from lakehouse.lake import Outcome, is_accepted, read_outcomes, write_outcome
from lakehouse.lake.files import digest
from lakehouse.settings import Settings

log = logging.getLogger(__name__)


def ingest_feed(settings: Settings, feed: str, business_date: date) -> list[Outcome]:
    """Take every landed delivery of ``feed`` with a cut-off date up to ``business_date`` that has no outcome yet.

    Deliveries go in the order of period and version. Each leaves an outcome record in the lake as its last file, so
    a call that was killed is simply made again. A rejected delivery that is put right is taken again; a loaded one
    never is.

    Returns
    -------
    list of Outcome
        Of the deliveries that this call took.

    Raises
    ------
    Stop
        If ``feed`` cannot be the name of a feed.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", feed):
        raise Stop(f"{feed!r} is no feed: names are lower case letters, digits and underscores")
    for path in misnamed(settings.landing, feed):
        log.warning("%s: ignored: a manifest is named %s_<period>_v<version>.manifest.json", path, feed)
    outcomes = read_outcomes(settings.lake, feed)
    _remove_erased(settings, feed, outcomes)
    outcomes = [outcome for outcome in outcomes if not _is_to_be_taken_again(settings.lake, outcome)]
    waiting = [
        delivery
        for delivery in deliveries(settings.landing, feed)
        if delivery.cutoff_date <= business_date and delivery.declared_hash not in _hashes(outcomes, delivery)
    ]
    if not waiting:
        return []
    taken = []
    with connection(settings) as con, ThreadPoolExecutor(1) as ahead:  # the next files are measured while one is parsed
        erased = Erased.of(con, settings)
        for delivery, landed in zip(waiting, ahead.map(measure, waiting), strict=True):
            source_hash = delivery.source_hash(landed)
            if source_hash in _hashes(outcomes, delivery):
                continue
            outcome = _ingest(con, settings.lake, delivery, landed, source_hash, outcomes, erased)
            write_outcome(settings.lake, outcome)
            if outcome.is_erased:
                remove(delivery)
            outcomes.append(outcome)
            taken.append(outcome)
    return taken


def _remove_erased(settings: Settings, feed: str, outcomes: list[Outcome]) -> None:
    """Take an old file out of the landing folder again, if it holds people who were erased: the lake has the rest."""
    gone = {(outcome.period, outcome.version, outcome.source_hash) for outcome in outcomes if outcome.is_erased}
    for delivery in deliveries(settings.landing, feed) if gone else ():
        if (delivery.period.text, delivery.version, delivery.declared_hash) in gone:
            remove(delivery)
            log.warning("%s: removed: it holds people who were erased, and the lake has its rows", delivery.path)


def _is_to_be_taken_again(lake: Path, outcome: Outcome) -> bool:
    """Whether a person accepts what was rejected, or the lake has lost what was loaded."""
    if outcome.is_loaded:
        return not outcome.rows_path(lake).exists()
    return outcome.outcome == "rejected" and is_accepted(lake, outcome.delivery_id)


def _hashes(outcomes: list[Outcome], delivery: Delivery) -> set[str]:
    """Sources of this version that have an outcome already."""
    place = (delivery.period.text, delivery.version)
    return {outcome.source_hash for outcome in outcomes if (outcome.period, outcome.version) == place}


def _ingest(
    con: duckdb.DuckDBPyConnection,
    lake: Path,
    delivery: Delivery,
    landed: dict[str, Landed],
    source_hash: str,
    earlier: list[Outcome],
    erased: Erased,
) -> Outcome:
    feed = load_feeds().get(delivery.feed)
    loaded = [outcome for outcome in earlier if outcome.is_loaded]
    name = f"{delivery.feed}/period={delivery.period.text}/v{delivery.version}-{source_hash[:12]}.parquet"
    delivery_id = delivery.id_of(source_hash)
    is_as_meant = is_accepted(lake, delivery_id)
    figures, problem = None, None
    try:
        if feed is None:
            raise Rejected(
                f"{delivery.path.name}: no contract for {delivery.feed} under feeds/: write one, or send it elsewhere"
            )
        check_arrived(delivery, landed)
        check_place(delivery, source_hash, loaded)
        with _unchanged(landed.values()):
            if not is_as_meant:
                check_cutoff(delivery, loaded)
                check_encoding(feed, landed.values())
            figures = load(con, lake, feed, delivery, list(landed.values()), name, erased)
        problem = figures.problem
        if not (problem or is_as_meant):
            check_shrunk(feed, delivery, figures.rows_loaded, loaded)
    except Implausible as error:
        figures, problem = None, f"{error}, or, if it is right: c360 accept {delivery_id} --by NAME --why REASON"
    except Rejected as error:
        figures, problem = None, str(error)
    return _sealed(lake, _outcome(delivery, feed, source_hash, landed, loaded, figures, problem, name))


@contextmanager
def _unchanged(landed: Collection[Landed]) -> Generator[None]:
    """Reject files that change while they are read, also where that is why they cannot be read to the end."""
    try:
        yield
    except (OSError, duckdb.Error):
        check_unchanged(landed)
        raise
    check_unchanged(landed)


def _sealed(lake: Path, outcome: Outcome) -> Outcome:
    """The outcome with the digests of the files that it left."""
    names = (outcome.lake_file, outcome.quarantine_file)
    rows, refused = (digest(lake / name) if name else None for name in names)
    return replace(outcome, lake_sha256=rows, quarantine_sha256=refused)


def check_place(delivery: Delivery, source_hash: str, loaded: list[Outcome]) -> None:
    """A version is loaded once, and the periods of a feed do not overlap.

    Raises
    ------
    Rejected
        If one of the deliveries that were loaded is in the way.
    """
    for outcome in loaded:
        if outcome.period == delivery.period.text:
            if outcome.version == delivery.version:
                raise Rejected(
                    f"{delivery.path.name}: version {outcome.version} of {outcome.period} is loaded already from "
                    f"another source ({outcome.source_hash[:12]}, this one is {source_hash[:12]}): "
                    "send it as a new version"
                )
        elif delivery.period.overlaps(Period(outcome.period)):
            raise Rejected(
                f"{delivery.path.name}: period {delivery.period.text} overlaps {outcome.period}, which is loaded: "
                f"send a new version of {outcome.period}"
            )


def _outcome(
    delivery: Delivery,
    feed: Feed | None,
    source_hash: str,
    landed: dict[str, Landed],
    loaded: list[Outcome],
    figures: Figures | None,
    problem: str | None,
    name: str,
) -> Outcome:
    is_earlier_loaded = any(
        outcome.period == delivery.period.text and outcome.version < delivery.version for outcome in loaded
    )
    return Outcome(
        feed=delivery.feed,
        channel=feed.channel if feed else "unknown",
        period=delivery.period.text,
        version=delivery.version,
        load=delivery.manifest.load if delivery.manifest else "daily",
        source_hash=source_hash,
        cutoff_date=delivery.cutoff_date,
        outcome="rejected" if problem else "replaced" if is_earlier_loaded else "loaded",
        reason=problem,
        rows_delivered=figures.rows_delivered if figures else None,
        rows_loaded=figures.rows_loaded if figures else 0,
        rows_quarantined=figures.rows_quarantined if figures else 0,
        rows_erased=figures.rows_erased if figures else 0,
        is_erased=bool(figures and figures.is_touched),
        min_business_date=figures.min_business_date if figures else None,
        max_business_date=figures.max_business_date if figures else None,
        late_rows=figures.late_rows if figures else 0,
        lake_file=None if problem else f"raw/{name}",
        quarantine_file=f"quarantine/{name}" if figures and figures.rows_quarantined else None,
        files=tuple(landed),
    )
