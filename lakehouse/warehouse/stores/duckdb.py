"""The embedded serving store: immutable Parquet files, and one small DuckDB file of views over them.

DuckDB resolves a relative path against the reader's folder, and a view cannot ask where its own file stands. So paths
are absolute, in one place: a table macro per table in the schema ``files``, over which the readers' views lie. Each
macro asks whether the file stands where it was written. A copy does not: it stops, where it would read the original's
rows, until `relocate` has written its own paths.
"""

import hashlib
import shutil
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path

import duckdb
import pyarrow as pa

from lakehouse.catalog import Column, Relation
from lakehouse.errors import Stop
from lakehouse.lake import appearing_shown
from lakehouse.settings import Settings
from lakehouse.sql import identifier, literal, only_row
from lakehouse.warehouse import publication
from lakehouse.warehouse.canaries import BETWEEN, Texts
from lakehouse.warehouse.comments import Comments, comment_of, missing_statements
from lakehouse.warehouse.engines import duckdb as engine
from lakehouse.warehouse.engines.duckdb import opened, transaction
from lakehouse.warehouse.live import LIVE, LiveTable, fund_flow_sql
from lakehouse.warehouse.publication import (
    PARTITIONS,
    PUBLICATIONS,
    CannotPublish,
    Columns,
    Hasher,
    Model,
    Partition,
    Snapshot,
)
from lakehouse.warehouse.rights import Rights
from lakehouse.warehouse.stores import Shown

BATCH_ROWS = 100_000
ATTACHED_AS = "store"  # a cursor of its connection has to be told again
KEPT_SNAPSHOTS = 6  # of each live table
LIVE_FLOW = "marts.fund_flow"
RETIRED = Relation(
    "retired_files",
    "Grain: file of an earlier publish that is kept for whoever still reads it.",
    (
        Column("file", "varchar", "Parquet file, below the folder of ops.store"),
        Column("publish_id", "bigint", "Publish that replaced it"),
    ),
    schema="ops",
    key=("file",),
)
STORE = Relation(
    "store",
    "Grain: one row. Where this store stands, and where the files lie that it shows.",
    (
        Column("file", "varchar", "File of the store; under another path it refuses to show rows"),
        Column("folder", "varchar", "Folder of the Parquet files"),
        Column("layout", "varchar", "Hash of its views and comments"),
    ),
    schema="ops",
)
OWN = (PUBLICATIONS, PARTITIONS, RETIRED, STORE)
# that of the table STORE says where it stands, see `_point`
OWN_COMMENTS = {own.full_name: comment_of(own) for own in OWN} | {STORE.full_name: replace(comment_of(STORE), text="")}
MOVED = "this store was moved or copied from {file}"
REMEDY = "give it its new place with `c360 relocate`, or copy a store with `c360 export snapshot FILE`"


def open_store(path: Path) -> duckdb.DuckDBPyConnection:
    """The store as it is published at this moment, to read; names are ``marts.customer_360`` and so on.

    To ``duckdb.connect(path)`` DuckDB gives what the process has open already, and that is yesterday's store if any
    other connection holds it: a pool never sees a new day. Here a database of its own, in memory, attaches the file.
    Close it, or open another, to see the next publish.
    """
    connection = duckdb.connect()
    try:
        connection.execute(f"attach {literal(str(path))} as {ATTACHED_AS} (read_only)")
        connection.execute(f"use {ATTACHED_AS}")
    except BaseException:
        connection.close()
        raise
    return connection


def relocate(settings: Settings) -> int:
    """Let a store that was moved or copied read the files beside it; returns how many it shows.

    Raises
    ------
    Stop
        If a file that it shows is not in the folder of published versions: it stays as it is.
    """
    with _reading(settings) as connection:
        if not _has_place(connection):
            raise Stop(
                f"{settings.warehouse} was published by an earlier version", "run a business date: it is replaced"
            )
        has_live = LIVE_FLOW in _views(connection)
    shown = published(settings)
    files = _files(settings, shown)
    if missing := sorted(path for path in files if not path.exists()):
        raise Stop(
            f"{len(missing)} of {len(files)} files that {settings.warehouse} shows are not in {settings.published} "
            f"(C360_PUBLISHED): {missing[0].relative_to(settings.published)}",
            "move or copy that folder, too",
        )
    with appearing_shown(settings.warehouse) as temporary:
        shutil.copyfile(settings.warehouse, temporary)
        with _written(temporary) as connection:
            _point(settings, connection, shown, has_live)
    return len(files)


def query_serving(settings: Settings, statement: str, parameters: Sequence[object] = ()) -> pa.Table:
    with _reading(settings) as connection:
        _require_place(settings, connection)
        return connection.sql(statement, params=list(parameters)).to_arrow_table()


def content_hash(settings: Settings, table: str) -> str:
    with _reading(settings) as connection:
        _require_place(settings, connection)
        columns = _columns(connection, table)
        count, total = only_row(connection.execute(f"select count(*), {_row_hash(columns)} from {table}"))
    return publication.partition_of(columns, count, int(total)).content_hash


def published(settings: Settings) -> Snapshot:
    if not settings.warehouse.exists():
        return Snapshot.of_rows([], [])
    with _reading(settings) as connection:
        return Snapshot.of_rows(
            connection.execute("select * from ops.publications").fetchall(),
            connection.execute("select * from ops.published_partitions").fetchall(),
        )


@contextmanager
def shown(settings: Settings) -> Generator[Shown]:
    with _reading(settings) as connection:
        _require_place(settings, connection)
        publish_id, day = only_row(
            connection.execute("select max(publish_id), max(business_date) from ops.publications")
        )
        yield Shown(
            publish_id,
            day,
            _present_comments(connection),
            lambda name: connection.sql(f"from {name}").to_arrow_reader(BATCH_ROWS),
            partial(_answer, connection),
        )


def _answer(connection: duckdb.DuckDBPyConnection, statement: str, parameters: Sequence[object]) -> pa.Table:
    """Rows of a query, by a cursor of its own."""
    with connection.cursor() as cursor:
        cursor.execute(f"use {ATTACHED_AS}")
        return cursor.sql(statement, params=list(parameters)).to_arrow_table()


@contextmanager
def publishing(settings: Settings) -> Generator["DuckDBPublishing"]:
    """Write the changed partitions, swap in a new file of views, then remove files that no reader needs any more."""
    last = published(settings)
    views = _reader_views(settings, last)
    with opened(settings) as build:
        work = DuckDBPublishing(settings, build, last, views)
        yield work
        _remove_unused(settings, work.used)


class DuckDBPublishing:
    """A publish that writes files beside those of readers, and collects the views for their next file of views."""

    def __init__(
        self, settings: Settings, build: duckdb.DuckDBPyConnection, last: Snapshot, views: dict[str, str]
    ) -> None:
        self.last = last
        self.is_building = engine.is_building(build)
        self.unpublished_from = engine.unpublished_from(build, last.publish_id)
        self.used: set[Path] = set()  # files that present and earlier readers need
        self._settings, self._build = settings, build
        self._last_views, self._definitions = dict(views), views

    def columns(self, name: str) -> Columns:
        return _columns(self._build, name)

    def texts(self, model: Model) -> Texts:
        since = publication.first_unpublished(model, self.unpublished_from)
        where = f"where coalesce({identifier(str(model.partition_by))} >= {literal(since)}, true)" if since else ""

        def read(names: Sequence[str]) -> pa.Table:
            columns = ", ".join(map(identifier, names))
            rows = f"select concat_ws({literal(BETWEEN)}, {columns}) as text from {model.built_name} {where}"
            return self._build.sql(rows).to_arrow_table()

        return read

    def hasher(self, model: Model, columns: Columns) -> Hasher:
        def hash_rows(since: date | None) -> Iterable[tuple[date | None, int, int]]:
            column = model.partition_by and identifier(model.partition_by)
            month = f"date_trunc('month', {column})" if column else "null"
            where = f"where coalesce({column} >= {literal(since)}, true)" if since else ""
            return self._build.execute(
                f"select cast({month} as date), count(*), {_row_hash(columns)} from {model.built_name} {where} "
                "group by 1"
            ).fetchall()

        return hash_rows

    def definition(self, model: Model) -> str:
        return _views(self._build)[model.built_name]

    def drop(self, name: str) -> None:
        del self._definitions[name]

    def replace_table(
        self,
        model: Model,
        columns: Columns,
        before: dict[str, Partition],
        after: dict[str, Partition],
        views: Sequence[str],
    ) -> None:
        """One file per partition whose content has none yet: its name is its content, so it replaces no other."""
        names = ", ".join(identifier(name) for name, _ in columns)
        for key, part in after.items():
            path = _path(self._settings, model.full_name, key, part)
            if path.exists():
                continue
            rows = f"select {names} from {model.built_name} where {_in_partition(model, key)}"
            with appearing_shown(path, self._settings.published) as temporary:
                self._build.execute(f"copy ({rows}) to {literal(str(temporary))} (format parquet, compression zstd)")
        self._define(model.full_name, _table_view(model.full_name, [name for name, _ in columns]))

    def replace_view(self, model: Model, columns: Columns, definition: str) -> None:
        self._define(model.full_name, definition.rstrip(";"))

    def show(self, now: Snapshot, comments: Comments, has_live: bool, is_whole: bool) -> None:
        """Make the new file of views beside the old one and rename it.

        Tables and comments seldom change: the new file begins as a copy of the last one, if that has the same.
        """
        retired = _retired(self._settings, self.last, now, is_whole)
        comments = OWN_COMMENTS | comments
        tables = {name: sql for name, sql in sorted(self._definitions.items()) if name in now.partitions}
        views = {name: sql for name, sql in self._definitions.items() if name not in now.partitions}
        live = _live_views() if has_live else []
        parts = (tables, sorted(views), live, sorted(comments.items()), OWN)
        layout = hashlib.sha256(repr(parts).encode()).hexdigest()
        is_known = _layout(self._settings) == layout
        with appearing_shown(self._settings.warehouse) as temporary:
            if is_known:
                shutil.copyfile(self._settings.warehouse, temporary)
            with _written(temporary) as connection:
                if is_known:  # a view may name the business date
                    statements = [
                        f"drop view {name};\n{sql}" for name, sql in views.items() if sql != self._last_views.get(name)
                    ]
                else:
                    _create_schemas(connection)
                    statements = [*tables.values(), *views.values(), *live]
                _point(self._settings, connection, now, has_live, layout)
                _refill(connection, PUBLICATIONS, now.publication_rows())
                _refill(connection, PARTITIONS, now.partition_rows())
                rows = [(_below(self._settings, path), id_) for path, id_ in sorted(retired.items())]
                _refill(connection, RETIRED, rows)
                if statements:
                    connection.execute(";\n".join(statements))
                    _comment(connection, comments)
        self.used = _files(self._settings, now) | retired.keys()

    def guard(self, rights: Rights, is_whole: bool) -> None:
        """Nothing: a file has no roles."""

    def note_published(self, publish_id: int, is_whole: bool) -> None:
        engine.note_published(self._build, self.last.publish_id, publish_id, is_whole)

    def _define(self, name: str, definition: str) -> None:
        """Views are made in the order of their last definition, each after what it reads."""
        self._definitions.pop(name, None)
        self._definitions[name] = definition


def remove_retired(settings: Settings) -> int:
    """Remove what is kept for readers of earlier publishes; returns how many files."""
    if not settings.warehouse.exists():
        return 0
    with _reading(settings) as connection:
        files = [
            settings.published / file for (file,) in connection.execute("select file from ops.retired_files").fetchall()
        ]
    for path in files:
        path.unlink(missing_ok=True)
    return len(files)


def show_live(
    settings: Settings, con: duckdb.DuckDBPyConnection, cycle: int, tables: Sequence[LiveTable], afresh: bool
) -> None:
    """Give readers the live tables as they are now, each as one new Parquet file.

    Readers take the newest of a table's files; the last ones stay for those who are reading.
    """
    for table in tables:
        folder = _live_folder(settings, table)
        with appearing_shown(folder / f"{cycle:012}.parquet", settings.published) as temporary:
            rows = f"select {table.names} from {table.name}"
            con.execute(f"copy ({rows}) to {literal(str(temporary))} (format parquet)")
        for path in sorted(folder.glob("[!.]*.parquet"))[:-KEPT_SNAPSHOTS]:
            path.unlink()


def _live_folder(settings: Settings, table: LiveTable) -> Path:
    return settings.published / "intraday" / f"{table.full_name}-{table.shape}"


def _live_views() -> list[str]:
    """Views over whatever files the intraday loop has written by the time they are read."""
    views = [
        f"create view {table.full_name} as select {table.names} from {_macro(table.full_name)}() "
        f"where {table.past_watermark}"
        for table in LIVE
    ]
    return [*views, f"create view {LIVE_FLOW} as {fund_flow_sql()}"]


def _live_rows(settings: Settings, connection: duckdb.DuckDBPyConnection, table: LiveTable) -> str:
    """SQL of the rows in the newest file of a live table; there is always one."""
    folder = _live_folder(settings, table)
    if not any(folder.glob("[!.]*.parquet")):
        nothing = ", ".join(f"cast(null as {type_}) as {name}" for name, type_ in table.columns)
        with appearing_shown(folder / f"{0:012}.parquet", settings.published) as temporary:
            connection.execute(f"copy (select {nothing} where false) to {literal(str(temporary))} (format parquet)")
    files = f"read_parquet({literal(str(folder / '*.parquet'))}, filename = 'snapshot')"
    return f"(select * from {files} qualify snapshot = max(snapshot) over ())"


@contextmanager
def _written(path: Path) -> Generator[duckdb.DuckDBPyConnection]:
    """A connection whose work is in the file, whole, when the block ends."""
    with duckdb.connect(path) as connection:
        with transaction(connection):
            yield connection
        connection.execute("checkpoint")


def _create_schemas(connection: duckdb.DuckDBPyConnection) -> None:
    for schema in (*publication.SCHEMAS, "files"):
        connection.execute(f"create schema {schema}")
    for own in OWN:
        columns = ", ".join(f"{name} {type_}" for name, type_ in own.typed_columns)
        connection.execute(f"create table {own.full_name} ({columns})")


def _point(
    settings: Settings,
    connection: duckdb.DuckDBPyConnection,
    shown: Snapshot,
    has_live: bool,
    layout: str | None = None,
) -> None:
    """Write all that names a path: the macros that read files, and where the store stands."""
    here = _here(settings)
    rows = {name: _partition_rows(settings, name, parts) for name, parts in shown.partitions.items()}
    if has_live:
        rows |= {table.full_name: _live_rows(settings, connection, table) for table in LIVE}
    connection.execute(
        ";\n".join(
            f"create or replace macro {_macro(name)}() as table select * from {files} where {here}"
            for name, files in rows.items()
        )
    )
    layout = layout or _layout(settings)
    _refill(connection, STORE, [(str(settings.warehouse), str(settings.published), layout)])
    connection.execute(f"comment on table {STORE.full_name} is {literal(_place(settings))}")


def _partition_rows(settings: Settings, name: str, partitions: dict[str, Partition]) -> str:
    paths = ", ".join(literal(str(_path(settings, name, key, part))) for key, part in sorted(partitions.items()))
    return f"read_parquet([{paths}])"


def _macro(name: str) -> str:
    return f"files.{name.replace('.', '__')}"


def _table_view(name: str, columns: Sequence[str]) -> str:
    return f"create view {name} as select {', '.join(map(identifier, columns))} from {_macro(name)}()"


def _place(settings: Settings) -> str:
    return f"{STORE.description} {settings.warehouse}"


def _here(settings: Settings) -> str:
    """A condition that stops whoever reads a file that is not, or not alone, the one that was written here."""
    moved = literal(f"{MOVED.format(file=settings.warehouse)}: {REMEDY}")
    return (
        f"(select case when coalesce(bool_and(databases.path = {literal(str(settings.warehouse))}), false) then true "
        f"else error({moved}) end from duckdb_tables() as tables "
        "inner join duckdb_databases() as databases on tables.database_oid = databases.database_oid "
        f"where tables.schema_name = {literal(STORE.schema)} and tables.table_name = {literal(STORE.name)} "
        f"and tables.comment = {literal(_place(settings))})"
    )


def _has_place(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the store says where it stands; earlier versions of the code wrote none that does."""
    sql = "select count(*) from duckdb_tables() where schema_name = $1 and table_name = $2"
    return only_row(connection.execute(sql, [STORE.schema, STORE.name]))[0] > 0


def _require_place(settings: Settings, connection: duckdb.DuckDBPyConnection) -> None:
    """Stop if the store was moved or copied: what it would read is elsewhere."""
    if _has_place(connection):
        (file,) = only_row(connection.execute(f"select file from {STORE.full_name}"))
        if file != str(settings.warehouse):
            raise Stop(f"{settings.warehouse}: {MOVED.format(file=file)}", REMEDY)


def _layout(settings: Settings) -> str | None:
    """The hash of the views and comments that readers have; None: there are none, or of an earlier version."""
    if not settings.warehouse.exists():
        return None
    with _reading(settings) as connection:
        if not _has_place(connection):
            return None
        return only_row(connection.execute(f"select layout from {STORE.full_name}"))[0]


def _present_comments(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str | None, str | None]]:
    """The comment of every table, view and column, None where there is none."""
    return connection.execute(
        "select schema_name || '.' || table_name, column_name, comment from duckdb_columns() where not internal "
        "union all select schema_name || '.' || view_name, null, comment from duckdb_views() where not internal "
        "union all select schema_name || '.' || table_name, null, comment from duckdb_tables() where not internal"
    ).fetchall()


def _comment(connection: duckdb.DuckDBPyConnection, comments: Comments) -> None:
    views = _views(connection).keys()
    statements = [
        f"comment on column {name}.{identifier(column)} is {literal(text)}"
        if column
        else f"comment on {'view' if name in views else 'table'} {name} is {literal(text)}"
        for name, column, text in missing_statements(comments, _present_comments(connection))
    ]
    if statements:
        connection.execute(";\n".join(statements))


def _reading(settings: Settings) -> duckdb.DuckDBPyConnection:
    if not settings.warehouse.exists():
        raise Stop(f"{settings.warehouse}: nothing is published yet; run a business date first")
    try:
        return open_store(settings.warehouse)
    except duckdb.Error as error:
        raise Stop(
            f"setting warehouse (C360_WAREHOUSE) is {settings.warehouse}, which cannot be read: {error}",
            "name another file; remove this one if it was the readers' file: the next run publishes it again",
        ) from error


def _reader_views(settings: Settings, last: Snapshot) -> dict[str, str]:
    """The SQL of every view that readers have of a dbt model."""
    if not settings.warehouse.exists():
        return {}
    with _reading(settings) as connection:
        columns = connection.execute(
            "select schema_name || '.' || table_name, list(column_name order by column_index) from duckdb_columns() "
            "where not internal group by 1"
        ).fetchall()
        tables = {name: _table_view(name, names) for name, names in columns if name in last.partitions}
        views = {name: sql.rstrip(";") for name, sql in _views(connection).items() if name in last.publications}
    return views | tables


def _views(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """The SQL of every view, by its name with the schema in front, in the order of their making."""
    rows = connection.execute(
        "select schema_name || '.' || view_name, sql from duckdb_views() where not internal order by view_oid"
    )
    return dict(rows.fetchall())


def _columns(connection: duckdb.DuckDBPyConnection, name: str) -> Columns:
    try:
        rows = connection.sql(f"from {name} limit 0")
    except duckdb.CatalogException as error:
        raise CannotPublish(f"{name} is not there: it was never built") from error
    return tuple(zip(rows.columns, map(str, rows.types), strict=True))


def _row_hash(columns: Columns) -> str:
    names = ", ".join(identifier(name) for name, _ in publication.content_columns(columns))
    return f"coalesce(sum(hash(hash({names}))), 0)"


def _path(settings: Settings, name: str, key: str, part: Partition) -> Path:
    return settings.published.joinpath(*name.split("."), f"{key}-{part.content_hash}.parquet")


def _files(settings: Settings, snapshot: Snapshot) -> set[Path]:
    return {
        _path(settings, name, key, part) for name, parts in snapshot.partitions.items() for key, part in parts.items()
    }


def _in_partition(model: Model, key: str) -> str:
    if key == publication.WHOLE or not model.partition_by:
        return "true"
    column = identifier(model.partition_by)
    if key == publication.NO_DATE:
        return f"{column} is null"
    first, following = publication.month_bounds(key)
    return f"{column} >= {literal(first)} and {column} < {literal(following)}"


def _retired(settings: Settings, last: Snapshot, now: Snapshot, is_whole: bool) -> dict[Path, int]:
    """Files that this publish or one of the last ones replaced, by the publish from which their time runs.

    A publish of ``ops`` after a failure does not count, it moves that number on: readers keep their files through any
    number of failed runs.
    """
    earlier = {}
    if settings.warehouse.exists():
        with _reading(settings) as connection:
            rows = connection.execute("select file, publish_id from ops.retired_files").fetchall()
            earlier = {settings.published / file: publish_id + (0 if is_whole else 1) for file, publish_id in rows}
    current = _files(settings, now)
    replaced = dict.fromkeys(_files(settings, last), now.publish_id)
    return {
        path: publish_id
        for path, publish_id in (replaced | earlier).items()
        if path not in current
        and publish_id > now.publish_id - publication.KEPT_PUBLISHES
        and path.is_relative_to(settings.published)  # one of an earlier version of the code may have been moved
    }


def _below(settings: Settings, path: Path) -> str:
    return str(path.relative_to(settings.published))


def _refill(connection: duckdb.DuckDBPyConnection, relation: Relation, rows: list[tuple]) -> None:
    connection.execute(f"delete from {relation.full_name}")
    if rows:  # at once: DuckDB takes a millisecond for each row of `executemany`
        values = [pa.array(column) for column in zip(*rows, strict=True)]
        connection.register("rows", pa.table(values, names=[name for name, _ in relation.typed_columns]))
        connection.execute(f"insert into {relation.full_name} select * from rows")
        connection.unregister("rows")


def _remove_unused(settings: Settings, used: set[Path]) -> None:
    """Remove what readers of the last publishes do not need, and what killed publishes left."""
    for schema in publication.SCHEMAS:
        for path in settings.published.glob(f"{schema}/*/*"):
            if path not in used:
                path.unlink()
    for path in settings.warehouse.parent.glob(f".{settings.warehouse.name}.*"):
        path.unlink()
