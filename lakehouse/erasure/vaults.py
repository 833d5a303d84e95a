"""Take a person out of a folder of backups: contents that name them are written anew, and every manifest follows."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

from lakehouse.backup.vault import Backup, Kept, Vault
from lakehouse.erasure.journal import Journal, counts_of, settled
from lakehouse.erasure.rewriting import Rewriter
from lakehouse.lake import Outcome, write_json
from lakehouse.lake.deliveries import outcome_of
from lakehouse.lake.erasures import FOLDER as ERASURES
from lakehouse.lake.erasures import ErasedFile

_RECORDS = "deliveries/"
Known = dict[tuple[str, str], ErasedFile | None]  # file and content -> what became of it; None: nobody was in it


def erase_from_vault(folder: Path, rewriter: Rewriter, journal: Journal) -> bool:
    """Write the backups in a folder anew; False if the folder is away.

    Of the store only what is built again from the lake holds nobody, so it leaves older backups. A call that was cut
    short is made again: contents of before go last.
    """
    vault = Vault(folder)
    if not (folder / "backups").is_dir():
        return False
    known: Known = {}
    backups = [_without(vault, backup, rewriter, journal, known) for backup in vault.backups()]
    for backup in backups:
        vault.write(backup)
    vault.drop_unused(backups)
    for entry in filter(None, known.values()):
        journal.note(entry)
    return True


def _without(vault: Vault, backup: Backup, rewriter: Rewriter, journal: Journal, known: Known) -> Backup:
    """The backup without the person."""
    made: list[Kept] = []
    records, rest = [], []
    for kept in backup.of("lake"):
        (records if kept.file.startswith(_RECORDS) else rest).append(kept)
    for kept in rest:
        is_list = kept.file.startswith(f"{ERASURES}/")
        made.append(kept if is_list else _rewritten(vault, kept, rewriter, journal, known))
    entries = {kept.file: entry for kept in rest if (entry := known.get((kept.file, kept.sha256)))}
    gone: set[str] = set()  # landed files of deliveries that held the person
    told_files: list[list[str]] = []  # landed files by delivery: one that goes takes the others along
    for kept in records:
        before = outcome_of(vault.content(kept.sha256).read_text())
        told = _told(before, entries)
        made.append(kept if told == before else _record(vault, kept, told, journal))
        names = (*told.files, f"{told.feed}_{told.period}_v{told.version}.manifest.json")
        told_files.append([f"{told.feed}/{name}" for name in names])
        gone |= set(told_files[-1]) if told.is_erased else set()
    named = {kept.file for kept in backup.of("landing") if _is_named(vault, kept, rewriter)}
    for files in told_files:
        gone |= set(files) if named & set(files) else set()
    made += [kept for kept in backup.of("landing") if kept.file not in gone | named]
    return replace(backup, files=tuple(made))


def _is_named(vault: Vault, kept: Kept, rewriter: Rewriter) -> bool:
    return rewriter.is_named_in(vault.content(kept.sha256), Path(kept.file))


def _rewritten(vault: Vault, kept: Kept, rewriter: Rewriter, journal: Journal, known: Known) -> Kept:
    """A file of the lake; each content is looked at once."""
    name, file = (kept.file, kept.sha256), Path(kept.file)
    if name not in known:
        target = journal.folder / f"kept{file.suffix}"
        effect = rewriter.write(vault.content(kept.sha256), file, target)
        known[name] = None
        if effect:
            after, _ = vault.keep(target)
            known[name] = ErasedFile(kept.file, "backup", kept.sha256, after, *counts_of(effect))
            target.unlink()
    entry = known[name]
    return _of(vault, kept, entry.after) if entry and entry.after else kept


def _told(outcome: Outcome, entries: Mapping[str, ErasedFile]) -> Outcome:
    """The record of a delivery, with the digests of its files as they are in this backup."""
    for name in filter(None, (outcome.lake_file, outcome.quarantine_file)):
        if name in entries:
            outcome = settled(outcome, entries[name])
    return outcome


def _record(vault: Vault, kept: Kept, told: Outcome, journal: Journal) -> Kept:
    target = journal.folder / "record.json"
    write_json(target, asdict(told))
    after, _ = vault.keep(target)
    target.unlink()
    return _of(vault, kept, after)


def _of(vault: Vault, kept: Kept, sha256: str) -> Kept:
    """The file with another content: it is read again at the next backup."""
    return replace(kept, sha256=sha256, bytes=vault.content(sha256).stat().st_size, changed=0)
