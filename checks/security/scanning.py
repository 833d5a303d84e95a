"""Looks for given values in every byte below a folder: in files as they are, unpacked, and in tables as text."""

import gzip
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import duckdb

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


def scan(folder: Path, values: Mapping[str, str], allowed: Iterable[str] = ()) -> Scan:
    """Look at every file below a folder.

    Parameters
    ----------
    values : mapping
        Name of each value -> the value.
    allowed : iterable of str
        Patterns of paths below the folder in which values may stand in clear.
    """
    needles = {name: [value.encode(encoding) for encoding in ENCODINGS] for name, value in values.items()}
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    patterns = tuple(allowed)
    looked_at = [
        path for path in files if not any(fnmatchcase(path.relative_to(folder).as_posix(), one) for one in patterns)
    ]
    finds: set[Find] = set()
    size = 0
    for path in looked_at:
        for content in contents(path):
            size += len(content)
            found = (name for name, written in needles.items() if any(one in content for one in written))
            finds |= {Find(str(path.relative_to(folder)), name) for name in found}
    return Scan(len(looked_at), size, tuple(sorted(finds, key=lambda find: (find.path, find.value_name))))


def contents(path: Path) -> Iterator[bytes]:
    """A file as it is; and what is packed in it: gzip, zip (models), the rows of Parquet and of a DuckDB store."""
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
        yield from _texts(f"read_parquet({literal(str(path))})", duckdb.connect())
    elif content[8:12] == b"DUCK":
        connection = duckdb.connect(str(path), read_only=True)
        tables = connection.execute("select schema_name, table_name from duckdb_tables()").fetchall()
        for schema, table in tables:
            yield from _texts(f"{identifier(schema)}.{identifier(table)}", connection)
        connection.close()


def _texts(relation: str, connection: duckdb.DuckDBPyConnection) -> Iterator[bytes]:
    """The different texts of a table, a column at a time."""
    for name, type_, *_ in connection.execute(f"describe select * from {relation}").fetchall():
        if type_ == "VARCHAR":
            rows = connection.execute(f"select distinct {identifier(name)} from {relation}").fetchall()
            yield "\n".join(text for (text,) in rows if text).encode()
