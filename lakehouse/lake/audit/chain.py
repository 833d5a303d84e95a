"""The chain of records: below ``audit/chain/`` a file for each batch of them, never changed, named by its first number.

``audit/head.json`` names the last record, so that a chain whose end is cut off is found. A batch takes its name only if
nobody has it: of two processes that append at once one is first, and the other goes on from there. So there is one
chain, and none loses a record, even on a disk where locks do not hold.
"""

import json
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypedDict

from filelock import FileLock

from lakehouse.lake.files import json_text, write_json, write_new
from lakehouse.lake.linked import beginning, last_hash, linked

Kind = Literal[
    "file",  # a record that the lake keeps elsewhere: its digest
    "replaced",  # such a record was written anew, by whom and why
    "rule",  # a seed, task, suite or other file of rules has changed
    "receipts",  # the decisions of a publish
    "export",
    "rights",
    "token",
    "model",
    "proposal",
    "signature",
    "anchor",
]
FIRST = beginning("c360 audit")


class Entry(TypedDict):
    """What happened; hashes are SHA-256, 64 hex digits, of a file before and after."""

    kind: Kind
    by: str | None  # a person by name, or the run
    subject: str
    detail: str | None
    old: str | None
    new: str | None


class Record(Entry):
    """An entry as the chain has it; the time is UTC."""

    number: int
    at: str
    previous: str
    hash: str


@dataclass(frozen=True)
class Head:
    """The last record; number 0 of an empty chain."""

    number: int = 0
    hash: str = FIRST


def entry(
    kind: Kind,
    subject: str,
    by: str | None = None,
    detail: str | None = None,
    old: str | None = None,
    new: str | None = None,
) -> Entry:
    """What happened, without what does not belong to it."""
    return Entry(kind=kind, by=by, subject=subject, detail=detail, old=old, new=new)


def append(lake: Path, entries: Sequence[Entry]) -> Head:
    """Put entries at the end of the chain, as one batch; they are on the disk when this returns."""
    if not entries:
        return head(lake)
    folder = chain_folder(lake)
    folder.mkdir(parents=True, exist_ok=True)
    with _turn(lake):
        while True:
            last = head(lake)
            text, now = _batch(entries, last)
            try:
                write_new(folder / f"{last.number + 1:012}.jsonl", text)
            except FileExistsError:  # another process was first, where locks do not hold
                continue
            write_json(_head_file(lake), {"number": now.number, "hash": now.hash})
            return now


def head(lake: Path) -> Head:
    """The last record of the chain, by its files."""
    files = batches(lake)
    if not files:
        return Head()
    *_, last = files[-1].read_bytes().splitlines(keepends=True)
    return Head(json.loads(last)["number"], last_hash(last))


def said_head(lake: Path) -> Head | None:
    """The last record as ``head.json`` has it, None before the first; ValueError if the file was changed."""
    path = _head_file(lake)
    if not path.exists():
        return None
    raw = path.read_text()
    said = json.loads(raw)
    found = Head(said["number"], said["hash"])
    if raw != json_text({"number": found.number, "hash": found.hash}):
        raise ValueError("changed")
    return found


def read(lake: Path) -> Iterator[Record]:
    """Every record, the oldest first; the links are not looked at (see `verify`)."""
    for path in batches(lake):
        for line in path.read_bytes().splitlines():
            yield json.loads(line)


def batches(lake: Path) -> list[Path]:
    """The files of the chain, in order."""
    return sorted(chain_folder(lake).glob("[!.]*.jsonl"))


def chain_folder(lake: Path) -> Path:
    """Where the records lie."""
    return lake / "audit" / "chain"


def _head_file(lake: Path) -> Path:
    return lake / "audit" / "head.json"


def _batch(entries: Sequence[Entry], last: Head) -> tuple[str, Head]:
    at = datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds")
    lines, number, previous = [], last.number, last.hash
    for one in entries:
        number += 1
        line, previous = linked({"number": number, "at": at, **one}, previous)
        lines.append(line)
    return "".join(lines), Head(number, previous)


@contextmanager
def _turn(lake: Path) -> Generator[None]:
    """One process after the other: the head follows the chain."""
    with FileLock(lake / "audit" / ".lock"):
        yield
