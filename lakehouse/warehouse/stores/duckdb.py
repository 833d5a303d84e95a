"""The embedded serving store: immutable Parquet files, and one small DuckDB file of views over them."""

from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa

from lakehouse.errors import Stop
from lakehouse.lake import appearing
from lakehouse.settings import Settings
from lakehouse.sql import identifier, literal, only_row
from lakehouse.warehouse import publication
from lakehouse.warehouse.canaries import BETWEEN, Texts
from lakehouse.warehouse.engines import duckdb as engine
from lakehouse.warehouse.engines.duckdb import opened
from lakehouse.warehouse.live import LIVE, LiveTable, fund_flow_sql
from lakehouse.warehouse.publication import CannotPublish, Columns, Hasher, Model, Partition, Snapshot

KEPT_SNAPSHOTS = 6  # of each live table


def query_serving(settings: Settings, statement: str, parameters: Sequence[object] = ()) -> pa.Table:
    with _reading(settings) as connection:
        return connection.sql(statement, params=list(parameters)).to_arrow_table()


def content_hash(settings: Settings, table: str) -> str:
    with _reading(settings) as connection:
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
def publishing(settings: Settings) -> Generator["DuckDBPublishing"]:
    """Write the changed partitions, swap in a new file of views, then remove files that no reader needs any more."""
    last, views = published(settings), _reader_views(settings)
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
        self._definitions = {name: sql for name, sql in views.items() if name in last.publications}

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
        paths = {key: _path(self._settings, model.full_name, key, part) for key, part in sorted(after.items())}
        for key, path in paths.items():
            if path.exists():
                continue
            rows = f"select {names} from {model.built_name} where {_in_partition(model, key)}"
            with appearing(path) as temporary:
                self._build.execute(f"copy ({rows}) to {literal(str(temporary))} (format parquet, compression zstd)")
        files = ", ".join(literal(str(path)) for path in paths.values())
        self._define(model.full_name, f"create view {model.full_name} as select {names} from read_parquet([{files}])")

    def replace_view(self, model: Model, columns: Columns, definition: str) -> None:
        self._define(model.full_name, definition)

    def show(self, now: Snapshot, has_live: bool, is_whole: bool) -> None:
        """Make the new file of views beside the old one and rename it."""
        retired = _retired(self._settings, self.last, now, is_whole)
        with appearing(self._settings.warehouse) as temporary, duckdb.connect(temporary) as connection:
            for schema in publication.SCHEMAS:
                connection.execute(f"create schema {schema}")
            for name in sorted(self._definitions, key=lambda name: name not in now.partitions):  # views after tables
                connection.execute(self._definitions[name])
            _create(connection, "ops.publications", publication.PUBLICATIONS, now.publication_rows())
            _create(connection, "ops.published_partitions", publication.PARTITIONS, now.partition_rows())
            rows = [(str(path), publish_id) for path, publish_id in sorted(retired.items())]
            _create(connection, "ops.retired_files", (("file", "varchar"), ("publish_id", "bigint")), rows)
            if has_live:
                _create_live_views(self._settings, connection)
            connection.execute("checkpoint")
        self.used = _files(self._settings, now) | retired.keys()

    def note_published(self, publish_id: int, is_whole: bool) -> None:
        engine.note_published(self._build, self.last.publish_id, publish_id, is_whole)

    def _define(self, name: str, definition: str) -> None:
        """Views are made in the order of their last definition, each after what it reads."""
        self._definitions.pop(name, None)
        self._definitions[name] = definition


def show_live(
    settings: Settings, con: duckdb.DuckDBPyConnection, cycle: int, tables: Sequence[LiveTable], afresh: bool
) -> None:
    """Give readers the live tables as they are now, each as one new Parquet file.

    Readers take the newest of a table's files; the last ones stay for those who are reading.
    """
    for table in tables:
        folder = _live_folder(settings, table)
        with appearing(folder / f"{cycle:012}.parquet") as temporary:
            rows = f"select {table.names} from {table.name}"
            con.execute(f"copy ({rows}) to {literal(str(temporary))} (format parquet)")
        for path in sorted(folder.glob("[!.]*.parquet"))[:-KEPT_SNAPSHOTS]:
            path.unlink()


def _live_folder(settings: Settings, table: LiveTable) -> Path:
    return settings.published / "intraday" / f"{table.full_name}-{table.shape}"


def _create_live_views(settings: Settings, connection: duckdb.DuckDBPyConnection) -> None:
    """Views over whatever files the intraday loop has written by the time they are read."""
    for table in LIVE:
        folder = _live_folder(settings, table)
        if not any(folder.glob("[!.]*.parquet")):
            nothing = ", ".join(f"cast(null as {type_}) as {name}" for name, type_ in table.columns)
            with appearing(folder / f"{0:012}.parquet") as temporary:
                connection.execute(f"copy (select {nothing} where false) to {literal(str(temporary))} (format parquet)")
        files = f"read_parquet({literal(str(folder / '*.parquet'))}, filename = 'snapshot')"
        connection.execute(
            f"create view {table.full_name} as select {table.names} "
            f"from (select *, max(snapshot) over () as newest from {files}) "
            f"where snapshot = newest and {table.past_watermark}"
        )
    connection.execute(f"create view marts.fund_flow as {fund_flow_sql()}")


def _reading(settings: Settings) -> duckdb.DuckDBPyConnection:
    if not settings.warehouse.exists():
        raise Stop(f"{settings.warehouse}: nothing is published yet; run a business date first")
    try:
        return duckdb.connect(settings.warehouse, read_only=True)
    except duckdb.Error as error:
        raise Stop(
            f"setting warehouse (C360_WAREHOUSE) is {settings.warehouse}, which cannot be read: {error}",
            "name another file; remove this one if it was the readers' file: the next run publishes it again",
        ) from error


def _reader_views(settings: Settings) -> dict[str, str]:
    """The SQL of every view that readers have."""
    if not settings.warehouse.exists():
        return {}
    with _reading(settings) as connection:
        return _views(connection)


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
            earlier = {Path(file): publish_id + (0 if is_whole else 1) for file, publish_id in rows}
    current = _files(settings, now)
    replaced = dict.fromkeys(_files(settings, last), now.publish_id)
    return {
        path: publish_id
        for path, publish_id in (replaced | earlier).items()
        if path not in current and publish_id > now.publish_id - publication.KEPT_PUBLISHES
    }


def _create(connection: duckdb.DuckDBPyConnection, name: str, columns: Columns, rows: list[tuple]) -> None:
    connection.execute(f"create table {name} ({', '.join(f'{column} {type_}' for column, type_ in columns)})")
    if rows:  # at once: DuckDB takes a millisecond for each row of `executemany`
        values = [pa.array(column) for column in zip(*rows, strict=True)]
        connection.register("rows", pa.table(values, names=[column for column, _ in columns]))
        connection.execute(f"insert into {name} select * from rows")
        connection.unregister("rows")


def _remove_unused(settings: Settings, used: set[Path]) -> None:
    """Remove what readers of the last publishes do not need, and what killed publishes left."""
    for schema in publication.SCHEMAS:
        for path in settings.published.glob(f"{schema}/*/*"):
            if path not in used:
                path.unlink()
    for path in settings.warehouse.parent.glob(f".{settings.warehouse.name}.*"):
        path.unlink()
