"""The files that the proof of an erasure names are read again: whether anything in them still tells of the person.

Nothing but the keyed hashes of the record is at hand. So every token, number and address in a file is hashed, and held
against them; and rows of feeds are held against the list as ingestion does.
"""

import gzip
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lakehouse.contracts import load_feeds
from lakehouse.ingestion import rules
from lakehouse.ingestion.erased import Erased
from lakehouse.lake.erasures import ErasedFile, Erasure, ErasureKey
from lakehouse.lake.files import digest
from lakehouse.settings import Settings
from lakehouse.sql import literal

_TOKEN = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_TELLING = re.compile(r"[^\s\"'|,;<>(){}\[\]:=]*[0-9@][^\s\"'|,;<>(){}\[\]:=]*")  # words with a digit or an @
_LEAST = 5  # letters and digits of what is held against the list; a shorter number is everybody's


@dataclass(frozen=True)
class Left:
    """What was found in a file that the proof names."""

    place: str
    file: str
    what: str  # a token, a number, rows; or that a file which was removed is there again


@dataclass(frozen=True)
class LookedThrough:
    """Every file that the proof names, and what is left in them."""

    looked_at: int
    gone: int  # removed by the erasure, or since
    not_reached: int  # contents of backups, and exports: they are not below the lake
    left: tuple[Left, ...]
    has_tokens: bool  # False: an erasure of an earlier version, whose record has no hashes of tokens


def look_through(settings: Settings, record: Erasure) -> LookedThrough:
    """Read every file that a record names.

    Raises
    ------
    Stop
        If the key of erasures is gone.
    """
    signer = ErasureKey.of(settings.lake)
    roots = {
        "lake": settings.lake,
        "landing": settings.landing,
        "outbox": settings.outbox,
        "data_docs": settings.lake.parent / "data_docs",
    }
    looked_at, gone, left = 0, 0, list[Left]()
    with duckdb.connect() as con:
        rules.create_token_macro(con, settings.token_secret)
        erased = Erased(con, signer, record.entries)
        for file in record.files:
            path = roots[file.place] / file.file if file.place in roots else None
            if path is None:
                continue
            if not path.exists():
                gone += 1
                continue
            looked_at += 1
            left += [Left(file.place, file.file, what) for what in _left_in(path, file, record, signer, erased)]
    others = sum(file.place not in roots for file in record.files)
    return LookedThrough(looked_at, gone, others, tuple(left), "token" in record.entries)


def _left_in(path: Path, file: ErasedFile, record: Erasure, signer: ErasureKey, erased: Erased) -> Iterator[str]:
    if file.after is None:
        if digest(path) == file.before:
            yield "the file that was removed is there again"
        return
    parts = Path(file.file).parts
    feed = load_feeds().get(parts[1]) if parts[0] == "raw" else None
    if feed and (rows := erased.count(feed, f"read_parquet({literal(str(path))}, hive_partitioning = false)")):
        yield f"{rows} rows of the person"
    tokens, values = (frozenset(record.entries.get(kind, ())) for kind in ("token", "value"))
    found = {"a token": False, "a number or an address": False}
    for text in _texts(path):
        found["a token"] |= any(signer.entry("token", token) in tokens for token in _TOKEN.findall(text))
        found["a number or an address"] |= any(
            signer.entry("value", word) in values for word in _TELLING.findall(text) if len(word) >= _LEAST
        )
    yield from (what for what, is_found in found.items() if is_found)


def _texts(path: Path) -> Iterator[str]:
    """Every text in a file: of Parquet each value once."""
    if path.suffix == ".parquet":
        table = pq.read_table(path, partitioning=None)
        for column in table.columns:
            if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
                yield from filter(None, pc.unique(column).to_pylist())
        return
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    yield content.decode(errors="replace")
