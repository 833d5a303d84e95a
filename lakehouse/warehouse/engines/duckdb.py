"""The embedded build engine: one DuckDB file with views over the lake."""

import logging
import os
import re
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date
from pathlib import Path
from types import MappingProxyType

import duckdb
import pyarrow as pa
from filelock import FileLock, Timeout

from lakehouse.errors import Stop
from lakehouse.settings import Settings
from lakehouse.sql import only_row
from lakehouse.warehouse import state
from lakehouse.warehouse.changes import BuildState
from lakehouse.warehouse.engines import LOCK_SECONDS, EngineLocked
from lakehouse.warehouse.relations import LakeTable, SmallTable, attached_files, select

MAGIC, MAGIC_AT = b"DUCK", 8  # of a database file
NOT_BROKEN = ("Permission denied", "No space left", "Out of Memory", "Cannot open file")
DBT_OPTIONS = MappingProxyType({"preserve_insertion_order": False})  # as dbt_project/profiles.yml has them
LOG = logging.getLogger(__name__)
_READING: ContextVar[Mapping[Path, duckdb.DuckDBPyConnection]] = ContextVar("reading", default=MappingProxyType({}))


def attach(settings: Settings, lake_tables: list[LakeTable], small_tables: list[SmallTable]) -> None:
    """Replace the views over the lake and the small tables, all in one transaction."""
    with opened(settings) as connection, transaction(connection):
        for schema in ("raw", "quarantine"):
            connection.execute(f"create schema if not exists {schema}")
        for small in (attached_files(lake_tables), *small_tables):
            connection.register("rows", small.rows)
            connection.execute(f"create or replace table {small.relation.full_name} as select * from rows")
            connection.unregister("rows")
        for table in lake_tables:
            connection.execute(f"create or replace view {table.relation.full_name} as {select(table)}")


def read_state(settings: Settings, wait: float) -> BuildState | None:
    if not settings.build.exists():
        return None
    with opened(settings, wait=wait) as connection:
        if not _has_table(connection, "_state"):
            return None
        (text,) = only_row(connection.execute("select state from raw._state"))
    return state.from_text(text)


def begin_build(settings: Settings) -> None:
    with opened(settings) as connection:
        if _has_table(connection, "_state"):
            connection.execute("update raw._state set is_building = true")


def write_state(settings: Settings, built: BuildState) -> None:
    with opened(settings) as connection, transaction(connection):
        connection.execute("create schema if not exists raw")
        connection.execute("create or replace table raw._state (state varchar, is_building boolean)")
        connection.execute("insert into raw._state values ($1, false)", [state.to_text(built)])


def mark_unpublished(settings: Settings, since: date) -> None:
    with opened(settings) as connection:
        if _has_table(connection, "_publication"):
            connection.execute(
                "update raw._publication set unpublished_from = least(coalesce(unpublished_from, $1), $1)", [since]
            )


def query(settings: Settings, statement: str, parameters: Sequence[object] = ()) -> pa.Table:
    if not settings.build.exists():
        raise Stop(f"{settings.build}: nothing is built yet; run a business date first")
    with reading(settings):
        return _READING.get()[settings.build].sql(statement, params=list(parameters)).to_arrow_table()


@contextmanager
def reading(settings: Settings) -> Generator[None]:
    shared = _READING.get()
    if settings.build in shared:
        yield
        return
    with opened(settings, read_only=True) as connection:
        token = _READING.set({**shared, settings.build: connection})
        try:
            yield
        finally:
            _READING.reset(token)


def hand_over(settings: Settings) -> None:
    pass  # they read where dbt builds


def drop_build(settings: Settings) -> None:
    for path in (settings.build, _wal(settings.build)):
        path.unlink(missing_ok=True)


@contextmanager
def exclusive(settings: Settings, wait: float) -> Generator[None]:
    settings.build.parent.mkdir(parents=True, exist_ok=True)
    path = settings.build.with_name(f"{settings.build.name}.lock")
    try:
        lock = FileLock(path, fallback_to_soft=False).acquire(timeout=wait)
    except Timeout as error:
        raise EngineLocked(_who_holds(settings.build, path.read_text(), wait)) from error
    with lock:
        path.write_text(f"PID {os.getpid()}")
        yield


@contextmanager
def held(settings: Settings) -> Generator[None]:
    """The build file is this process's for as long as dbt comes and goes, which itself waits for no reader of it."""
    with opened(settings, options=DBT_OPTIONS):
        yield


@contextmanager
def opened(
    settings: Settings,
    read_only: bool = False,
    wait: float = LOCK_SECONDS,
    options: Mapping[str, bool] = MappingProxyType({}),
) -> Generator[duckdb.DuckDBPyConnection]:
    """A connection to the build file; what it wrote is in the file itself, not in a log beside it, when it closes.

    Parameters
    ----------
    options : mapping
        DuckDB's, beside the memory limit: those of one file must be equal in all connections of a process.

    Raises
    ------
    EngineLocked
        If another process held the file for ``wait`` seconds.
    Stop
        If DuckDB refuses a setting, or the path is something else than a database: nothing is moved aside then.
    """
    settings.build.parent.mkdir(parents=True, exist_ok=True)
    _require_database(settings.build)
    deadline = time.monotonic() + wait
    while True:
        try:
            connection = duckdb.connect(settings.build, read_only, {"memory_limit": settings.memory_limit, **options})
            break
        except duckdb.Error as error:
            if "lock on file" in str(error) or isinstance(error, duckdb.ConnectionException):
                if time.monotonic() > deadline:
                    raise EngineLocked(_who_holds(settings.build, str(error), wait)) from error
                time.sleep(0.1)
            else:
                _require_good_limit(settings)
                if read_only or any(reason in str(error) for reason in NOT_BROKEN):
                    raise
                _move_aside(settings.build, error)
    try:
        yield connection
        if not read_only:
            connection.execute("checkpoint")
    finally:
        connection.close()


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Generator[None]:
    """All statements of the block, or none."""
    connection.execute("begin")
    try:
        yield
    except BaseException:
        connection.execute("rollback")
        raise
    connection.execute("commit")


def is_building(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether a build has begun and not ended."""
    return _has_table(connection, "_state") and only_row(connection.execute("select is_building from raw._state"))[0]


def unpublished_from(connection: duckdb.DuckDBPyConnection, last_publish: int) -> date | None:
    """The date from which incremental tables may have changed since the last publish; None: all of them may have."""
    if not _has_table(connection, "_publication"):
        return None
    publish_id, since = only_row(connection.execute("select publish_id, unpublished_from from raw._publication"))
    return (since or date.max) if publish_id == last_publish else None


def note_published(connection: duckdb.DuckDBPyConnection, last_publish: int, publish_id: int, is_whole: bool) -> None:
    """Remember the publish; if it was whole, also that nothing is unpublished."""
    if is_whole:
        connection.execute("create schema if not exists raw")
        connection.execute(
            "create or replace table raw._publication as "
            "select cast($1 as bigint) as publish_id, cast(null as date) as unpublished_from",
            [publish_id],
        )
    elif _has_table(connection, "_publication"):
        connection.execute(
            "update raw._publication set publish_id = $1 where publish_id = $2", [publish_id, last_publish]
        )


def _has_table(connection: duckdb.DuckDBPyConnection, name: str) -> bool:
    """Whether the engine's schema ``raw`` has the table."""
    sql = "select count(*) from duckdb_tables() where schema_name = 'raw' and table_name = $1"
    return only_row(connection.execute(sql, [name]))[0] > 0


def _who_holds(path: Path, message: str, wait: float) -> str:
    holder = "another connection of this process"
    if process := re.search(r"PID (\d+)", message):
        arguments = Path(f"/proc/{process[1]}/cmdline")
        command = arguments.read_text().replace("\0", " ").strip() if arguments.exists() else "ended by now"
        holder = f"process {process[1]} ({command})"
    return f"{path} was held by {holder} for {wait:.0f} s: wait until it ends, or stop it, and run again"


def _require_database(path: Path) -> None:
    """Stop if the path is something else than a database: DuckDB itself would open a CSV file as one."""
    if path.exists() and path.stat().st_size and not _is_database(path):
        raise Stop(
            f"setting build (C360_BUILD) is {path}, which is no file of DuckDB",
            "name another file; remove this one if it was the build file: it is built again",
        )


def _require_good_limit(settings: Settings) -> None:
    try:
        duckdb.connect(config={"memory_limit": settings.memory_limit}).close()
    except duckdb.Error as error:
        raise Stop(
            f"setting memory_limit (C360_MEMORY_LIMIT) is {settings.memory_limit!r}: {error}", 'give a limit as "6GB"'
        ) from error


def _is_database(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(MAGIC_AT + len(MAGIC)).endswith(MAGIC)


def _move_aside(path: Path, error: Exception) -> None:
    for broken in (path, _wal(path)):
        if broken.exists():
            Path(broken).replace(broken.with_name(f"{broken.name}.broken"))
    LOG.warning("%s could not be opened (%s); moved to %s.broken: a full rebuild follows", path, error, path.name)


def _wal(path: Path) -> Path:
    return path.with_name(f"{path.name}.wal")
