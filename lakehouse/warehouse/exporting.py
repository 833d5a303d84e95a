"""The whole store in one file, or as Parquet files with a list of them: to hand on, to keep, to open elsewhere."""

import hashlib
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from uuid import uuid4

import duckdb

from lakehouse.errors import Stop
from lakehouse.lake import appearing, write_json
from lakehouse.settings import Settings
from lakehouse.sql import identifier, literal, only_row
from lakehouse.warehouse.publication import SCHEMAS
from lakehouse.warehouse.stores import Shown, Store

OF_ITS_FILES = ("ops.store", "ops.retired_files")  # say where files of the store lie
OWNER_READS, OWNER_ENTERS = 0o600, 0o700

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Table:
    """A table's entry in the manifest."""

    table: str
    file: str
    rows: int
    sha256: str
    comment: str | None
    columns: list[dict[str, str | None]]  # name, type, comment


@dataclass(frozen=True)
class Exported:
    """What was written, and of which publish."""

    path: Path
    publish_id: int
    business_date: date
    table_count: int
    row_count: int


def export_snapshot(store: Store, settings: Settings, path: Path, force: bool, progress: Progress) -> Exported:
    """Write one DuckDB file with every published table and view as a table, comments and all, and no path in it.

    It is of one publish, appears whole, and only its owner may read it.

    Raises
    ------
    Stop
        If the file is there and not to be replaced, or nothing is published.
    """
    refuse_to_replace(path, force)
    with store.shown(settings) as shown:
        with appearing(path) as temporary, duckdb.connect(temporary) as connection:
            temporary.chmod(OWNER_READS)
            for schema in SCHEMAS:
                connection.execute(f"create schema {schema}")
            counts = {}
            for name in _names(shown):
                connection.register("shown", shown.rows(name))
                connection.execute(f"create table {name} as select * from shown")
                connection.unregister("shown")
                counts[name] = _count(connection, name)
                progress(f"{name}: {counts[name]:,} rows")
            _comment(connection, shown)
            connection.execute("checkpoint")
        return Exported(path, shown.publish_id, shown.business_date, len(counts), sum(counts.values()))


def export_parquet(store: Store, settings: Settings, folder: Path, force: bool, progress: Progress) -> Exported:
    """Write a Parquet file per published table or view, and ``manifest.json`` with rows, sha256 and columns of each.

    It is of one publish, appears whole, and only its owner may read it.

    Raises
    ------
    Stop
        If the folder is there and not to be replaced, or nothing is published.
    """
    refuse_to_replace(folder, force)
    with store.shown(settings) as shown:
        with appearing_in_place_of(folder) as temporary, duckdb.connect() as connection:
            tables: list[Table] = []
            for name in _names(shown):
                tables.append(_write(connection, shown, name, temporary / f"{name}.parquet"))
                progress(f"{name}: {tables[-1].rows:,} rows")
            manifest = {
                "publish_id": shown.publish_id,
                "business_date": shown.business_date,
                "tables": list(map(asdict, tables)),
            }
            write_json(temporary / "manifest.json", manifest)
            for file in temporary.iterdir():
                file.chmod(OWNER_READS)
        rows = sum(table.rows for table in tables)
        return Exported(folder, shown.publish_id, shown.business_date, len(tables), rows)


def refuse_to_replace(path: Path, force: bool) -> None:
    """Raise `Stop` if something is there that is not to be replaced."""
    if path.exists() and not force:
        raise Stop(f"{path} is there already", "name another place, or replace it with --force")


def _names(shown: Shown) -> list[str]:
    return sorted(name for name, column, _ in shown.comments if column is None and name not in OF_ITS_FILES)


def _count(connection: duckdb.DuckDBPyConnection, name: str) -> int:
    return only_row(connection.execute(f"select count(*) from {name}"))[0]


def _comment(connection: duckdb.DuckDBPyConnection, shown: Shown) -> None:
    statements = [
        f"comment on column {name}.{identifier(column)} is {literal(text)}"
        if column
        else f"comment on table {name} is {literal(text)}"
        for name, column, text in shown.comments
        if text and name not in OF_ITS_FILES
    ]
    connection.execute(";".join(statements))


def _write(connection: duckdb.DuckDBPyConnection, shown: Shown, name: str, path: Path) -> Table:
    """Write the rows of a table; returns its entry in the manifest."""
    connection.register("shown", shown.rows(name))
    connection.execute(f"copy (select * from shown) to {literal(str(path))} (format parquet, compression zstd)")
    connection.unregister("shown")
    columns = connection.sql(f"from read_parquet({literal(str(path))}) limit 0")
    comments = {column: text for table, column, text in shown.comments if table == name}
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Table(
        table=name,
        file=path.name,
        rows=_count(connection, f"read_parquet({literal(str(path))})"),
        sha256=digest,
        comment=comments.get(None),
        columns=[
            {"name": column, "type": str(type_), "comment": comments.get(column)}
            for column, type_ in zip(columns.columns, columns.types, strict=True)
        ],
    )


@contextmanager
def appearing_in_place_of(folder: Path) -> Generator[Path]:
    """A temporary folder beside ``folder`` that takes its name, whole, when the block ends."""
    temporary, old = (folder.with_name(f".{folder.name}.{uuid4().hex}.{kind}") for kind in ("tmp", "old"))
    temporary.mkdir(parents=True, mode=OWNER_ENTERS)
    try:
        yield temporary
        if folder.exists():
            folder.rename(old)
        temporary.rename(folder)
    finally:
        for left in (temporary, old):
            shutil.rmtree(left, ignore_errors=True)
