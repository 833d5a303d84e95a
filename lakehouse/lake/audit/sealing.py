"""The lake's own records, in the chain by their digests: deliveries, runs, publishes, promotions, page views.

They lie in the lake as files that are written once; the chain keeps a digest of each and copies nothing. A delivery's
record has the digests of its rows, a model's card that of the model, so these are held as well. Who writes a record
anew says so first (`replacing`); any other change of it is a break.
"""

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from lakehouse.lake.audit.chain import Entry, Record, append, entry, read
from lakehouse.lake.files import digest

# What is sealed, by its place in the lake; and what it is.
SEALED = {
    "deliveries/*/*.json": "delivery",
    "acceptances/**/*.json": "acceptance",
    "retractions/**/*.json": "retraction",
    "runs/*/*.json": "step of a run",
    "publishes/*.json": "publish",
    "figures/*.json": "figures of a publish",
    "models/*/*/card.json": "model",
    "models/*/promotions/*.json": "promotion",
    "models/*/retrainings/*.json": "retraining",
    "identity/models/*/*.json": "linkage model",
    "alerts/log/*.json": "alert",
    "activations/*/plans/*.json": "activation",
    "receipts/*/*.parquet": "receipts",
    "proposals/*.json": "proposal",
    "erasures/*.json": "erasure",
    "retentions/*.json": "retention",
}
OF_A_JOURNAL = "page views, bytes "
JOURNALS = "page_views/*/*.jsonl"  # they grow: what is new of one is sealed


@dataclass(frozen=True)
class Seal:
    """A file as the chain knows it: its digest, and of a journal how many of its bytes."""

    sha256: str
    size: int | None
    number: int  # of the record


def seal(lake: Path, by: str | None = None) -> int:
    """Put what is new of the lake's records into the chain; returns how many files that are."""
    known = seals_of(read(lake))
    entries = [*_new_files(lake, known, by), *_grown(lake, known, by)]
    append(lake, entries)
    return len(entries)


def replacing(lake: Path, path: Path, text: str, by: str | None, why: str) -> None:
    """Before a record of the lake is written: if there is one already, say that this text takes its place, and why."""
    if not path.exists():
        return
    before, after = digest(path), hashlib.sha256(text.encode()).hexdigest()
    if before != after:
        append(lake, [entry("replaced", str(path.relative_to(lake)), by, why, before, after)])


def reseal(lake: Path, by: str | None, why: str, broken: Collection[str] = ()) -> int:
    """Note what somebody who may has changed of sealed records, or taken away: a rotation of the secret, an erasure.

    Returns how many files that are.

    Parameters
    ----------
    broken : collection of str
        Files that `verify` found before the change: what was wrong with them is not made good.
    """
    entries = []
    for name, kept in sorted(seals_of(read(lake)).items()):
        if name in broken:
            continue
        now = _now(lake / name, kept)
        if now != kept.sha256:
            is_grown = now is not None and kept.size is not None
            detail = f"{why}: {OF_A_JOURNAL}{(lake / name).stat().st_size}" if is_grown else why
            entries.append(entry("replaced", name, by, detail, kept.sha256, now))
    append(lake, entries)
    return len(entries)


def _now(path: Path, kept: Seal) -> str | None:
    """The digest of what is sealed of a file, as it is now."""
    if not path.is_file():
        return None
    if kept.size is None:
        return digest(path)
    content = path.read_bytes()
    is_same = hashlib.sha256(content[: kept.size]).hexdigest() == kept.sha256
    return kept.sha256 if is_same else hashlib.sha256(content).hexdigest()


def seals_of(records: Iterator[Record]) -> dict[str, Seal]:
    """What the chain knows of each file, by its path in the lake: the last word counts."""
    known: dict[str, Seal] = {}
    for record in records:
        if record["kind"] not in ("file", "replaced", "receipts"):
            continue
        if record["new"] is None:  # it was taken away by somebody who may
            known.pop(record["subject"], None)
            continue
        size = (record["detail"] or "").partition(OF_A_JOURNAL)[2]
        known[record["subject"]] = Seal(record["new"], int(size) if size else None, record["number"])
    return known


def sealed_files(lake: Path) -> Iterator[tuple[str, str]]:
    """Path in the lake and kind of each record that is there to be sealed."""
    for pattern, what in SEALED.items():
        for path in sorted(lake.glob(pattern)):
            if path.is_file() and not any(part.startswith(".") for part in path.relative_to(lake).parts):
                yield str(path.relative_to(lake)), what


def journals(lake: Path) -> Iterator[str]:
    """Path in the lake of each journal of page views."""
    return (str(path.relative_to(lake)) for path in sorted(lake.glob(JOURNALS)))


def _new_files(lake: Path, known: dict[str, Seal], by: str | None) -> Iterator[Entry]:
    for name, what in sealed_files(lake):
        if name not in known:
            yield entry("file", name, by, what, new=digest(lake / name))


def _grown(lake: Path, known: dict[str, Seal], by: str | None) -> Iterator[Entry]:
    """Whole lines: of one that is being written the next seal takes care."""
    for name in journals(lake):
        before = known.get(name)
        content = (lake / name).read_bytes()
        size = content.rfind(b"\n") + 1
        if size > (before.size or 0 if before else 0):
            new = hashlib.sha256(content[:size]).hexdigest()
            yield entry("file", name, by, f"{OF_A_JOURNAL}{size}", before.sha256 if before else None, new)
