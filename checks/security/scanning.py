"""Looks for given values in every byte below a folder, and for what looks like a person's in every text of it.

Files are read as they are, unpacked, and as the texts of their tables.
"""

import gzip
import stat
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import duckdb

from lakehouse.lake.files import digest
from lakehouse.sql import identifier, literal

ENCODINGS = ("utf-8", "gb18030")
MOST_UNPACKED = 500_000_000  # bytes of one packed file


@dataclass(frozen=True)
class Find:
    """A value where it should not be; of the value only its name is kept."""

    path: str
    value_name: str


@dataclass(frozen=True)
class Scan:
    """What was looked at, and what was found."""

    file_count: int
    byte_count: int
    finds: tuple[Find, ...]


def scan(
    folder: Path,
    values: Mapping[str, str],
    allowed: Iterable[str] = (),
    shapes: Mapping[str, Callable[[str], bool]] | None = None,
) -> Scan:
    """Look at every file below a folder.

    Parameters
    ----------
    values : mapping
        Name of each value -> the value.
    allowed : iterable of str
        Patterns of paths below the folder in which values may stand in clear; copies of these files may hold them, too.
    shapes : mapping, optional
        Name of each shape -> whether a text holds something of that shape.
    """
    needles = {name: [value.encode(encoding) for encoding in ENCODINGS] for name, value in values.items()}
    closed, looked_at = _parted(folder, tuple(allowed))
    copied = {(path.stat().st_size, digest(path)) for path in closed}
    sizes = {size for size, _ in copied}
    finds: set[Find] = set()
    count = total = 0
    with duckdb.connect() as connection:
        for path in looked_at:
            size = path.stat().st_size
            if size in sizes and (size, digest(path)) in copied:
                continue
            count += 1
            for content in contents(path, connection):
                total += len(content)
                found = [name for name, written in needles.items() if any(one in content for one in written)]
                found += [f"looks like {name}" for name in _shapes_in(content, shapes or {})]
                finds |= {Find(str(path.relative_to(folder)), name) for name in found}
    return Scan(count, total, tuple(sorted(finds, key=lambda find: (find.path, find.value_name))))


def open_to_others(folder: Path, patterns: Iterable[str]) -> list[str]:
    """The files of these patterns that another user of the machine could read: by their own mode and their folders'."""
    others_read, others_enter = stat.S_IROTH, stat.S_IXOTH

    def can_enter(path: Path) -> bool:
        return all(part.stat().st_mode & others_enter for part in path.parents if folder in part.parents)

    closed, _ = _parted(folder, tuple(patterns))
    return [str(path.relative_to(folder)) for path in closed if path.stat().st_mode & others_read and can_enter(path)]


def _parted(folder: Path, patterns: tuple[str, ...]) -> tuple[list[Path], list[Path]]:
    """The files below a folder that match one of the patterns, and the others."""
    matching: list[Path] = []
    others: list[Path] = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            is_matching = any(fnmatchcase(path.relative_to(folder).as_posix(), one) for one in patterns)
            (matching if is_matching else others).append(path)
    return matching, others


def _shapes_in(content: bytes, shapes: Mapping[str, Callable[[str], bool]]) -> list[str]:
    """The shapes in a text; in what is no text they would be chance."""
    try:
        text = content.decode() if shapes else ""
    except UnicodeDecodeError:
        return []
    return [name for name, is_in in shapes.items() if is_in(text)]


def contents(path: Path, connection: duckdb.DuckDBPyConnection) -> Iterator[bytes]:
    """A file as it is; and what is packed in it: gzip, zip (models), the rows of Parquet and of a DuckDB store.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        To read Parquet by: one for thousands of files.
    """
    content = path.read_bytes()
    yield content
    if content[:2] == b"\x1f\x8b":
        with gzip.open(path) as file:
            yield file.read(MOST_UNPACKED)
    elif content[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(path) as packed:
            for name in packed.namelist():
                with packed.open(name) as file:
                    yield file.read(MOST_UNPACKED)
    elif content[:4] == b"PAR1":
        yield from _texts(f"read_parquet({literal(str(path))})", connection)
    elif content[8:12] == b"DUCK":
        with duckdb.connect(str(path), read_only=True) as store:
            tables = store.execute("select schema_name, table_name from duckdb_tables()").fetchall()
            for schema, table in tables:
                yield from _texts(f"{identifier(schema)}.{identifier(table)}", store)


def _texts(relation: str, connection: duckdb.DuckDBPyConnection) -> Iterator[bytes]:
    """The different texts of a table, a column at a time."""
    for name, type_, *_ in connection.execute(f"describe select * from {relation}").fetchall():
        if type_ == "VARCHAR":
            rows = connection.execute(f"select distinct {identifier(name)} from {relation}").fetchall()
            yield "\n".join(text for (text,) in rows if text).encode()
