"""Whether the audit is what was written: every link of the chain, and every record of the lake that it knows."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lakehouse.lake.audit.chain import FIRST, Head, Record, batches, chain_folder, said_head
from lakehouse.lake.audit.sealing import Seal, journals, sealed_files, seals_of
from lakehouse.lake.files import digest
from lakehouse.lake.linked import BrokenLink, beginning, follow


@dataclass(frozen=True)
class Break:
    """The first place of a file at which it is not what was written; the file is named by its path in the lake."""

    file: str
    what: str

    def __str__(self) -> str:
        return f"{self.file}: {self.what}"


@dataclass(frozen=True)
class Verified:
    """What was found; records that have come since the last publish are linked only when they are sealed."""

    records: int
    head: str
    files: int  # records of the lake that the chain knows
    unsealed: int  # that it does not know yet
    anchors: int  # that were held against the chain
    breaks: tuple[Break, ...]

    @property
    def is_whole(self) -> bool:
        return not self.breaks


def verify(lake: Path, anchors: Iterable[Head] = ()) -> Verified:
    """Walk the whole chain and read every file that it knows.

    Parameters
    ----------
    anchors : iterable of Head
        Heads that were kept outside the lake: the chain must still have each.
    """
    records, breaks = _walked(lake)
    if not breaks:
        breaks += _wrong_head(lake, records)
    kept = tuple(anchors)
    hashes = {0: FIRST} | {record["number"]: record["hash"] for record in records}
    if not breaks:
        breaks += [
            Break("audit/chain", f"record {one.number} is not the one that was anchored")
            for one in kept
            if hashes.get(one.number) != one.hash
        ]
    known = seals_of(iter(records))
    is_journal = {name for name, seal in known.items() if seal.size is not None}
    breaks += [found for name in sorted(known.keys() - is_journal) for found in _changed(lake, name, known[name])]
    there = set(journals(lake)) if records else set()  # those of an older version are not linked, and then sealed
    for name in sorted(is_journal | there):
        breaks += _changed_journal(lake, name, known.get(name))
    new = [name for name, _ in sealed_files(lake) if name not in known]
    last = records[-1]["hash"] if records else FIRST
    return Verified(len(records), last, len(known), len(new) + len(there - is_journal), len(kept), tuple(breaks))


def _walked(lake: Path) -> tuple[list[Record], list[Break]]:
    """The records up to the first broken link, and that break, if there is one."""
    records: list[Record] = []
    previous = FIRST
    for path in batches(lake):
        name = str(path.relative_to(lake))
        if path.stem != f"{len(records) + 1:012}":
            return records, [Break(name, f"record {len(records) + 1} is missing, or was moved")]
        content = path.read_bytes()
        if not content.endswith(b"\n"):
            return records, [Break(name, "the last line is not whole")]
        try:
            for record in follow(content.splitlines(keepends=True), previous):
                if record["number"] != len(records) + 1:
                    return records, [Break(name, f"record {len(records) + 1} is missing")]
                records.append(Record(**record))
                previous = record["hash"]
        except BrokenLink as broken:
            return records, [Break(name, str(broken))]
    if strange := sorted(set(chain_folder(lake).glob("[!.]*")) - set(batches(lake))):
        return records, [Break(str(strange[0].relative_to(lake)), "is no file of the chain")]
    return records, []


def _wrong_head(lake: Path, records: list[Record]) -> list[Break]:
    """The head may be behind: a process that was killed has not moved it, and the next one does."""
    try:
        said = said_head(lake)
    except (ValueError, KeyError, TypeError):
        return [Break("audit/head.json", "is not what was written")]
    if said is None:
        return [Break("audit/head.json", "is gone")] if len(list(batches(lake))) > 1 else []
    if said.number > len(records):
        return [Break("audit/chain", f"ends with record {len(records)}, and {said.number} were written")]
    if said.number < 1 or records[said.number - 1]["hash"] != said.hash:
        return [Break("audit/head.json", f"names another record {said.number} than the chain has")]
    return []


def _changed(lake: Path, name: str, seal: Seal) -> Iterator[Break]:
    path = lake / name
    if not path.is_file():
        yield Break(name, f"is gone (record {seal.number} of the audit)")
    elif digest(path) != seal.sha256:
        yield Break(name, f"is not the file that record {seal.number} of the audit knows")


def _changed_journal(lake: Path, name: str, seal: Seal | None) -> Iterator[Break]:
    """What is sealed by its digest; what has come since by its own links."""
    path = lake / name
    if not path.is_file():
        yield Break(name, f"is gone (record {seal.number if seal else 0} of the audit)")
        return
    content = path.read_bytes()
    size = seal.size or 0 if seal else 0
    if seal and (len(content) < size or hashlib.sha256(content[:size]).hexdigest() != seal.sha256):
        yield Break(name, f"has other lines than record {seal.number} of the audit knows")
        return
    whole = [line for line in content.splitlines(keepends=True) if line.endswith(b"\n")]
    before = len(content[:size].splitlines())
    previous = _hash_of(whole[before - 1]) if before else beginning(Path(name).name)
    try:
        for line in follow(whole[before:], previous):
            previous = line["hash"]
    except BrokenLink as broken:
        yield Break(name, f"after line {before}, {broken}")
        return
    if _is_whole(content[content.rfind(b"\n") + 1 :], previous):
        yield Break(name, f"line {len(whole) + 1} has lost its end")


def _is_whole(rest: bytes, previous: str) -> bool:
    """Whether what stands after the last line is one whose end was changed: a server that was killed leaves less."""
    try:
        return len(rest) > 1 and bool(list(follow([rest[:-1] + b"\n"], previous)))
    except BrokenLink:
        return False


def _hash_of(line: bytes) -> str:
    try:
        return str(json.loads(line).get("hash", ""))
    except ValueError:
        return ""
