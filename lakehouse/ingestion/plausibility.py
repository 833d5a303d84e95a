"""Deliveries that are well formed and hardly true: rejected until a person with a name accepts them."""

import codecs
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from pathlib import Path

from lakehouse.contracts import Feed
from lakehouse.ingestion.encodings import another_encoding
from lakehouse.ingestion.landing import Delivery, Landed, Rejected
from lakehouse.lake import Outcome

MOST_DAYS_AHEAD = timedelta(days=100)  # from one cut-off of a feed to the next
_BLOCK = 1 << 20
_FEW_ROWS = 10  # of a snapshot: one or two more or fewer are a large share of them
_FEW_CHARACTERS = 8  # that are valid UTF-8 by chance


class Implausible(Rejected):
    """A delivery that a person may accept as it is."""


def check_cutoff(delivery: Delivery, loaded: Sequence[Outcome]) -> None:
    """Reject a cut-off far beyond the last one: everything after it would count as past.

    Raises
    ------
    Implausible
        Naming both dates.
    """
    last = max((outcome.cutoff_date for outcome in loaded), default=None)
    if last and delivery.cutoff_date > last + MOST_DAYS_AHEAD:
        raise Implausible(
            f"{delivery.path.name}: the cut-off {delivery.cutoff_date} is {(delivery.cutoff_date - last).days} days "
            f"after the last one of the feed, {last}: correct cutoff_at"
        )


def dateless(outcomes: Iterable[Outcome]) -> set[tuple[str, date]]:
    """(name of the manifest, cut-off) of deliveries that make no business date: retracted, or far ahead of others."""
    outcomes = list(outcomes)
    last = max((outcome.cutoff_date for outcome in outcomes if outcome.is_loaded), default=date.max)
    return {
        (f"{outcome.feed}_{outcome.period}_v{outcome.version}.manifest.json", outcome.cutoff_date)
        for outcome in outcomes
        if outcome.outcome == "retracted"
        or (outcome.outcome == "rejected" and outcome.cutoff_date - last > MOST_DAYS_AHEAD)
    }


def check_encoding(feed: Feed, files: Iterable[Landed]) -> None:
    """Reject a file in another encoding than the contract's, where the names would be read as nonsense.

    UTF-8 is told from a few characters, other encodings from some dozens of words (see `encodings`).

    Raises
    ------
    Implausible
        Naming the file.
    """
    if feed.format != "delimited" or feed.encoding.upper() in ("UTF-8", "ASCII"):
        return
    for file in files:
        with file.path.open("rb") as lines:
            found = "UTF-8" if _is_utf_8(file.path) else another_encoding(lines, feed.encoding)
        if found:
            raise Implausible(
                f"{file.path.name}: written in {found}, the contract has {feed.encoding}: send it in {feed.encoding}"
            )


def check_shrunk(feed: Feed, delivery: Delivery, rows: int, loaded: Sequence[Outcome]) -> None:
    """Reject a snapshot that has lost many rows since the last one: what is missing would be gone for readers.

    Raises
    ------
    Implausible
        Naming both counts.
    """
    earlier = [outcome for outcome in loaded if outcome.cutoff_date <= delivery.cutoff_date]
    if not (feed.is_snapshot and earlier):
        return
    last = max(earlier, key=lambda outcome: (outcome.period, outcome.version))
    if not rows < feed.least_share * last.rows_loaded:
        return
    if rows == 0 or last.rows_loaded >= _FEW_ROWS:
        raise Implausible(
            f"{delivery.path.name}: a snapshot of {rows} rows after one of {last.rows_loaded} ({last.period}), fewer "
            f"than {feed.least_share:.0%}: send it whole"
        )


def _is_utf_8(path: Path) -> bool:
    """Whether the file reads as UTF-8 with more characters beyond ASCII than chance would make."""
    decoder, beyond_ascii = codecs.getincrementaldecoder("UTF-8")(), 0
    with path.open("rb") as file:
        try:
            while block := file.read(_BLOCK):
                text = decoder.decode(block)
                beyond_ascii += len(text) - len(text.encode("ascii", "ignore"))
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return beyond_ascii >= _FEW_CHARACTERS
