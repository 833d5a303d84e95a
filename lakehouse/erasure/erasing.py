"""A person is taken out of every file of the lake and the landing folder, so that a kill at any moment can be mended.

First the folder ``.<lake>.erasure`` says whom it is about, in clear; then the record appears, from which on nothing of
the person comes in; then file after file is written anew beside the lake, noted in a journal, and renamed. At the end
the record has all of them, and the folder goes. A call that was killed is made again: it takes up the journal.
"""

import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path

import duckdb

from lakehouse import lake, warehouse
from lakehouse.contracts import load_feeds
from lakehouse.erasure.holds import holds
from lakehouse.erasure.journal import Journal
from lakehouse.erasure.rewriting import Replacing, Rewriter
from lakehouse.erasure.subject import Subject, find, of_entries, parties_of
from lakehouse.erasure.vaults import erase_from_vault
from lakehouse.errors import Stop
from lakehouse.identity import link
from lakehouse.ingestion import rules
from lakehouse.ingestion.erased import Erased
from lakehouse.ingestion.landing import deliveries
from lakehouse.lake import audit
from lakehouse.lake.copies import known_copies
from lakehouse.lake.erasures import (
    ERASED,
    ErasedFile,
    Erasure,
    ErasureKey,
    Tie,
    pseudonym,
    read_erasures,
    work_folder,
    write_erasure,
)
from lakehouse.lake.erasures import FOLDER as ERASURES
from lakehouse.lake.places import xref_file
from lakehouse.lake.running import at_work
from lakehouse.settings import Settings

Progress = Callable[[str], None]
AUDIT = "audit"  # folder of the lake


@dataclass(frozen=True)
class Plan:
    """What an erasure would do; nothing was written."""

    erasure_id: str
    records: tuple[str, ...]  # party keys
    held: tuple[str, ...]  # why it is refused; empty if it is not
    rows: dict[str, int]  # feed -> rows about the person
    rules: dict[str, str]  # feed -> what becomes of them, and why


def look_at(settings: Settings, key: str) -> Plan:
    """Whom a key means, what stands against an erasure, and what would become of the rows of each feed."""
    subject = find(settings, parties_of(settings.lake, key))
    signer = ErasureKey.of(settings.lake)
    with duckdb.connect() as con:
        erased = _list(con, settings, signer, subject.entries(signer))
        rows = {
            name: count
            for name, feed in load_feeds().items()
            if (count := sum(erased.count(feed, _source(path)) for path in _raw(settings.lake, name)))
        }
    return Plan(
        _id(signer, subject.parties),
        subject.parties,
        tuple(holds(settings, subject, _today(settings))),
        rows,
        {name: _rule(name) for name in rows},
    )


def erase_from_lake(settings: Settings, key: str, by: str, reason: str, progress: Progress) -> Erasure:
    """Take a person out of lake and landing folder; the build engine is dropped. `finish` signs the record.

    Raises
    ------
    Stop
        If no record has the key, something stands against it, a run is at work, or no name or reason is given.
    """
    if not (by.strip() and reason.strip()):
        raise Stop("an erasure needs a name and a reason", "give --by and --reason")
    with warehouse.exclusive(settings, wait=0):
        if busy := at_work(settings.lake):
            raise Stop(f"{busy[0].name} is at work on {settings.lake}", "wait until it has ended, and erase then")
        signer, folder = ErasureKey.of(settings.lake), work_folder(settings.lake)
        if not (folder / "subject.json").exists():  # a call that was killed had not begun, or was at its last step
            shutil.rmtree(folder, ignore_errors=True)
            _link(settings)
        parties = parties_of(settings.lake, key)
        erasure_id = _id(signer, parties)
        _require_own(folder, erasure_id)
        begun = next((one for one in read_erasures(settings.lake) if one.erasure_id == erasure_id), None)
        if begun and not folder.exists():
            return begun  # the lake is done with it
        subject = _kept(folder) or find(settings, parties)
        if begun is None:
            if against := holds(settings, subject, _today(settings)):
                raise Stop(f"not to be erased yet: {'; '.join(against)}", "ask again when nothing of it is left")
            _keep(folder, erasure_id, subject)
            begun = _begin(settings, signer, erasure_id, subject, by, reason)
        return _rewrite(settings, signer, begun, subject, progress)


def replay(settings: Settings, erasures: list[Erasure], progress: Progress) -> list[Erasure]:
    """Take everybody who was erased elsewhere out of a lake that was restored; returns the records that have changed.

    Those have to be finished again.
    """
    for erasure in erasures:
        write_erasure(settings.lake, erasure)
    signer, done = ErasureKey.of(settings.lake), []
    for erasure in erasures:
        if subject := of_entries(settings, erasure, signer):
            _keep(work_folder(settings.lake), erasure.erasure_id, subject)
            after = _rewrite(settings, signer, replace(erasure, files=()), subject, progress)
            if after.files:  # equal to those of the record, where another copy of the same backup was reached before
                done.append(replace(after, files=_joined(erasure.files, after.files)))
            else:
                write_erasure(settings.lake, erasure)  # nobody was in it: the proof stands as it was signed
    return done


def finish(settings: Settings, erasure: Erasure, publish_id: int | None) -> Erasure:
    """Sign the record: nothing of the person is left, readers included."""
    signed = ErasureKey.of(settings.lake).signed(replace(erasure, publish_id=publish_id))
    write_erasure(settings.lake, signed)
    return signed


def _id(signer: ErasureKey, parties: Iterable[str]) -> str:
    return f"e-{signer.entry('erasure', '|'.join(sorted(parties)))[:12]}"


def _today(settings: Settings) -> date:
    """The business date that readers see, or, before the first publish, the last that the lake knows."""
    known = [outcome.cutoff_date for outcome in lake.read_outcomes(settings.lake)]
    if not known:
        raise Stop(f"{settings.lake} holds nothing", "there is nobody to erase")
    return warehouse.published_date(settings) or max(known)


def _link(settings: Settings) -> None:
    """Join what has come in since the last build: a record that nobody has joined yet would stay."""
    pin = lake.pin(settings.lake, max(one.cutoff_date for one in lake.read_outcomes(settings.lake)))
    if not xref_file(settings.lake, pin).exists():
        link(settings, pin)


def _begin(settings: Settings, signer: ErasureKey, erasure_id: str, subject: Subject, by: str, reason: str) -> Erasure:
    """Write the record: from here on nothing of the person comes in."""
    feeds = {name: _rule(name) for name, feed in load_feeds().items() if feed.erasure}
    begun = Erasure(
        erasure_id,
        _today(settings),
        by.strip(),
        reason.strip(),
        subject.entries(signer) | {"token": subject.tokens(settings.token_secret, signer)},
        subject.ties(signer),
        feeds,
        public_key=signer.public_key,
    )
    write_erasure(settings.lake, begun)
    return begun


def _rule(name: str) -> str:
    """What the contract says of a feed's rows."""
    rule = load_feeds()[name].erasure
    if rule is None:
        return "numbers of accounts and cards are replaced"
    kept = f"rows stay without {', '.join(rule.blank)}" if rule.blank else "rows stay"
    return f"{'rows go' if rule.drops_rows else kept}: {rule.because}"


def _rewrite(settings: Settings, signer: ErasureKey, erasure: Erasure, subject: Subject, progress: Progress) -> Erasure:
    journal = Journal(settings.lake)
    was_broken = _broken_before(settings.lake, journal.folder, erasure.by)
    with duckdb.connect() as con:
        rewriter = Rewriter(_list(con, settings, signer, erasure.entries), _replacing(con, signer, subject))
        progress("files of the lake are written anew")
        for root, place in (
            (settings.lake, "lake"),
            (settings.outbox, "outbox"),
            (settings.lake.parent / "data_docs", "data_docs"),
        ):
            for path in _files(root):
                target = journal.folder / f"new{path.suffix}"
                if effect := rewriter.write(path, path.relative_to(root), target):
                    journal.replace(root, path.relative_to(root), place, target, effect)
        progress("landed files that hold the person are removed")
        _remove_landed(settings, rewriter, journal)
        for export in known_copies(settings.lake, "exports"):
            for path in [export] if export.is_file() else sorted(path for path in export.rglob("*") if path.is_file()):
                journal.remove(export.parent, path.relative_to(export.parent), "export")
        away = []
        for folder in known_copies(settings.lake, "vaults"):
            progress(f"backups in {folder} are written anew")
            if not erase_from_vault(folder, rewriter, journal):
                away.append(str(folder))
    warehouse.drop_build(settings)
    for broken in settings.build.parent.glob(f"{settings.build.name}*.broken"):
        broken.unlink()
    files = _joined(erasure.files, journal.files)
    done = replace(erasure, files=files, not_reached=tuple(away), signature="")
    audit.reseal(settings.lake, erasure.by, f"erasure {erasure.erasure_id}", was_broken)
    write_erasure(settings.lake, done)
    shutil.rmtree(work_folder(settings.lake))
    return done


def _joined(files: Iterable[ErasedFile], later: Iterable[ErasedFile]) -> tuple[ErasedFile, ...]:
    """Every file once, as it was written last."""
    return tuple({(file.place, file.file): file for file in (*files, *later)}.values())


def _broken_before(root: Path, folder: Path, by: str) -> list[str]:
    """What the audit finds wrong before anything is written anew: an erasure does not make it good."""
    kept = folder / "broken.json"
    if not kept.exists():  # a call that was killed has written some files already
        audit.seal(root, by)
        lake.write_json(kept, sorted({found.file for found in audit.verify(root).breaks}))
    return json.loads(kept.read_text())


def _list(
    con: duckdb.DuckDBPyConnection, settings: Settings, signer: ErasureKey, entries: Mapping[str, tuple[str, ...]]
) -> Erased:
    rules.create_token_macro(con, settings.token_secret)
    return Erased(con, signer, entries)


def _replacing(con: duckdb.DuckDBPyConnection, signer: ErasureKey, subject: Subject) -> Replacing:
    """What takes the place of each text of the person; account numbers and their tokens have a pseudonym."""
    texts = dict.fromkeys((*subject.texts, *subject.records), ERASED)
    for number in subject.numbers["account_no"]:
        other = pseudonym(signer.entry("account_no", number))
        ((old, new),) = con.execute("select token($1), token($2)", [number, other]).fetchall()
        texts |= {number: other, old: new}
    return Replacing(texts)


def _files(root: Path) -> list[Path]:
    """Every file below a folder, but for what is at work, the records of erasures, and the chain of the audit.

    The chain has digests, and names of staff.
    """
    files = (path for path in root.rglob("*") if path.is_file())
    parts = ((path, path.relative_to(root).parts) for path in files)
    return sorted(path for path, (first, *_) in parts if not first.startswith(".") and first not in (ERASURES, AUDIT))


def _raw(root: Path, feed: str) -> list[Path]:
    return sorted((root / "raw" / feed).rglob("[!.]*.parquet"))


def _source(path: Path) -> str:
    return f"read_parquet('{path}', hive_partitioning = false)"


def _remove_landed(settings: Settings, rewriter: Rewriter, journal: Journal) -> None:
    """Remove what was taken in and holds the person: the lake has the rows. What waits is filtered when it comes in."""
    known = {one.delivery_id: one for one in lake.read_outcomes(settings.lake)}
    left = set(_files(settings.landing))
    for folder in sorted(path for path in settings.landing.glob("*") if path.is_dir()):
        for delivery in deliveries(settings.landing, folder.name):
            named = [file.name for file in delivery.manifest.files] if delivery.manifest else []
            files = [path for path in (delivery.path, *(folder / name for name in named)) if path in left]
            left -= set(files)
            outcome = known.get(delivery.id_of(delivery.declared_hash or ""))
            if outcome and (outcome.is_erased or any(_is_named_in(settings, rewriter, path) for path in files)):
                for path in files:  # the manifest first: no half of a delivery is taken for one
                    journal.remove(settings.landing, path.relative_to(settings.landing), "landing")
    for path in sorted(left):
        if _is_named_in(settings, rewriter, path):
            journal.remove(settings.landing, path.relative_to(settings.landing), "landing")


def _is_named_in(settings: Settings, rewriter: Rewriter, path: Path) -> bool:
    return rewriter.is_named_in(path, path.relative_to(settings.landing))


def _require_own(folder: Path, erasure_id: str) -> None:
    """Stop if an erasure of somebody else was cut short."""
    if folder.exists() and (kept := json.loads((folder / "subject.json").read_text()))["erasure_id"] != erasure_id:
        raise Stop(f"the erasure {kept['erasure_id']} was cut short", "erase with its key again, to finish it, first")


def _keep(folder: Path, erasure_id: str, subject: Subject) -> None:
    """Keep whom it is about until all files are written: their own would not tell any more."""
    folder.mkdir(mode=0o700, exist_ok=True)
    lake.write_json(folder / "subject.json", asdict(subject) | {"erasure_id": erasure_id})
    (folder / "subject.json").chmod(0o600)


def _kept(folder: Path) -> Subject | None:
    if not folder.exists():
        return None
    raw = json.loads((folder / "subject.json").read_text())
    return Subject(
        {kind: tuple(numbers) for kind, numbers in raw["numbers"].items()},
        tuple(raw["texts"]),
        tuple(raw["records"]),
        tuple(map(Tie.from_json, raw["xref"])),
    )
