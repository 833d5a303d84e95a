"""The embedded serving store: immutable Parquet files, and one small DuckDB file of views over them."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from lakehouse.errors import Stop
from lakehouse.lake import appearing
from lakehouse.settings import Settings
from lakehouse.sql import identifier, literal
from lakehouse.warehouse import publication
from lakehouse.warehouse.engines.duckdb import has_table, opened
from lakehouse.warehouse.live import LIVE, LiveTable, fund_flow_sql
from lakehouse.warehouse.publication import CannotPublish, Columns, Model, Partition, Publication, Snapshot

KEPT_SNAPSHOTS = 6  # of each live table


def query_serving(settings: Settings, sql: str, parameters: Sequence[Any] = ()) -> pa.Table:
    with _reading(settings) as connection:
        return connection.sql(sql, params=list(parameters)).to_arrow_table()


def content_hash(settings: Settings, table: str) -> str:
    schema, name = table.split(".")
    with _reading(settings) as connection:
        columns = _columns(connection, schema, name)
        count, total = connection.execute(f"select count(*), {_row_hash(columns)} from {schema}.{name}").fetchone()
    return publication.partition_of(columns, count, int(total)).content_hash


def published(settings: Settings) -> Snapshot:
    if not settings.warehouse.exists():
        return Snapshot.of_rows([], [])
    with _reading(settings) as connection:
        return Snapshot.of_rows(
            connection.execute("select * from ops.publications").fetchall(),
            connection.execute("select * from ops.published_partitions").fetchall(),
        )


def publish(settings: Settings, models: list[Model], schemas: tuple[str, ...], told: Publication) -> int:
    """Write the changed partitions, swap in a new file of views, then remove files that no reader needs any more."""
    last = published(settings)
    views = _reader_views(settings)
    with opened(settings) as build:
        if has_table(build, "_state"):
            publication.check_finished(schemas, *build.execute("select is_building from raw._state").fetchone())
        since = _unpublished_from(build, last.publish_id)
        kept = last.without(schemas)
        now = replace(kept, publish_id=last.publish_id + 1)
        definitions = {name: views[name] for name in kept.publications}
        for model in models:
            columns = _columns(build, f"build_{model.schema}", model.name)
            publication.check_columns(model, columns)
            if model.is_view:
                definition = publication.published_definition(_view_sql(build, model))
                inputs = [now.publications[name].content_hash for name in model.reads]
                row_count, content = None, publication.view_hash(definition, inputs)
            else:
                parts = publication.current_partitions(
                    model, columns, last.partitions.get(model.full_name, {}), since, _hasher(build, model, columns)
                )
                _write_files(settings, build, model, columns, parts)
                now.partitions[model.full_name] = parts
                definition = _view_of_files(settings, model, columns, parts)
                whole = publication.whole_of(columns, parts)
                row_count, content = whole.row_count, whole.content_hash
            definitions[model.full_name] = definition
            now.publications[model.full_name] = replace(told, row_count=row_count, content_hash=content)
        retired = _swap_in(settings, last, now, definitions)
        _note_published(build, last.publish_id, now.publish_id, whole=set(schemas) == set(publication.SCHEMAS))
        _remove_unused(settings, _files(settings, now) | retired)
    return now.publish_id


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
    return settings.published / "intraday" / table.full_name


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
    return duckdb.connect(settings.warehouse, read_only=True)


def _reader_views(settings: Settings) -> dict[str, str]:
    """The SQL of every view that readers have, in the order of their making."""
    if not settings.warehouse.exists():
        return {}
    with _reading(settings) as connection:
        rows = connection.execute(
            "select schema_name || '.' || view_name, sql from duckdb_views() where not internal order by view_oid"
        )
        return dict(rows.fetchall())


def _columns(connection: duckdb.DuckDBPyConnection, schema: str, name: str) -> Columns:
    rows = connection.execute(
        "select column_name, data_type from duckdb_columns() where schema_name = $1 and table_name = $2 "
        "order by column_index",
        [schema, name],
    ).fetchall()
    if not rows:
        raise CannotPublish(f"{schema}.{name} is not there: it was never built")
    return tuple(rows)


def _row_hash(columns: Columns) -> str:
    names = ", ".join(identifier(name) for name, _ in publication.content_columns(columns))
    return f"coalesce(sum(hash(hash({names}))), 0)"


def _hasher(build: duckdb.DuckDBPyConnection, model: Model, columns: Columns) -> publication.Hasher:
    def hash_rows(since: date | None) -> Iterable[tuple[date | None, int, int]]:
        month = f"date_trunc('month', {identifier(model.partition_by)})" if model.partition_by else "null"
        where = f"where coalesce({identifier(model.partition_by)} >= $1, true)" if since else ""
        sql = f"select cast({month} as date), count(*), {_row_hash(columns)} from {model.built_name} {where} group by 1"
        return build.execute(sql, [since] if since else []).fetchall()

    return hash_rows


def _view_sql(build: duckdb.DuckDBPyConnection, model: Model) -> str:
    row = build.execute(
        "select sql from duckdb_views() where schema_name = $1 and view_name = $2",
        [f"build_{model.schema}", model.name],
    ).fetchone()
    return row[0]


def _path(settings: Settings, name: str, key: str, part: Partition) -> Path:
    return settings.published.joinpath(*name.split("."), f"{key}-{part.content_hash}.parquet")


def _files(settings: Settings, snapshot: Snapshot) -> set[Path]:
    return {
        _path(settings, name, key, part) for name, parts in snapshot.partitions.items() for key, part in parts.items()
    }


def _write_files(
    settings: Settings,
    build: duckdb.DuckDBPyConnection,
    model: Model,
    columns: Columns,
    parts: dict[str, Partition],
) -> None:
    """One file per partition whose content has none yet: its name is its content."""
    names = ", ".join(identifier(name) for name, _ in columns)
    for key, part in parts.items():
        path = _path(settings, model.full_name, key, part)
        if path.exists():
            continue
        rows = f"select {names} from {model.built_name} where {_in_partition(model, key)}"
        with appearing(path) as temporary:
            build.execute(f"copy ({rows}) to {literal(str(temporary))} (format parquet, compression zstd)")


def _in_partition(model: Model, key: str) -> str:
    if key == publication.WHOLE:
        return "true"
    column = identifier(model.partition_by)
    if key == publication.NO_DATE:
        return f"{column} is null"
    first, following = publication.month_bounds(key)
    return f"{column} >= {literal(first)} and {column} < {literal(following)}"


def _view_of_files(settings: Settings, model: Model, columns: Columns, parts: dict[str, Partition]) -> str:
    names = ", ".join(identifier(name) for name, _ in columns)
    files = ", ".join(literal(str(_path(settings, model.full_name, key, part))) for key, part in sorted(parts.items()))
    return f"create view {model.full_name} as select {names} from read_parquet([{files}])"


def _swap_in(settings: Settings, last: Snapshot, now: Snapshot, definitions: dict[str, str]) -> set[Path]:
    """Make the new file beside the old one and rename it; returns the files that are kept for earlier readers."""
    retired = _retired(settings, last, now)
    with appearing(settings.warehouse) as temporary, duckdb.connect(temporary) as connection:
        for schema in publication.SCHEMAS:
            connection.execute(f"create schema {schema}")
        for name in sorted(definitions, key=lambda name: name not in now.partitions):  # views of views come last
            connection.execute(definitions[name])
        _create(connection, "ops.publications", publication.PUBLICATIONS, now.publication_rows())
        _create(connection, "ops.published_partitions", publication.PARTITIONS, now.partition_rows())
        rows = [(str(path), publish_id) for path, publish_id in sorted(retired.items())]
        _create(connection, "ops.retired_files", (("file", "varchar"), ("publish_id", "bigint")), rows)
        if "marts.fund_flow_daily" in definitions:
            _create_live_views(settings, connection)
        connection.execute("checkpoint")
    return set(retired)


def _retired(settings: Settings, last: Snapshot, now: Snapshot) -> dict[Path, int]:
    """Files that this publish or one of the last ones replaced, by the publish that did."""
    earlier = {}
    if settings.warehouse.exists():
        with _reading(settings) as connection:
            rows = connection.execute("select file, publish_id from ops.retired_files").fetchall()
            earlier = {Path(file): publish_id for file, publish_id in rows}
    current = _files(settings, now)
    replaced = dict.fromkeys(_files(settings, last), now.publish_id)
    return {
        path: publish_id
        for path, publish_id in (replaced | earlier).items()
        if path not in current and publish_id > now.publish_id - publication.KEPT_PUBLISHES
    }


def _create(connection: duckdb.DuckDBPyConnection, name: str, columns: Columns, rows: list[tuple]) -> None:
    connection.execute(f"create table {name} ({', '.join(f'{column} {type_}' for column, type_ in columns)})")
    if rows:
        connection.executemany(f"insert into {name} values ({', '.join('?' * len(columns))})", rows)


def _unpublished_from(build: duckdb.DuckDBPyConnection, last_publish: int) -> date | None:
    """The date from which incremental tables may have changed since the last publish; None: all of them may have."""
    if not has_table(build, "_publication"):
        return None
    published_id, unpublished_from = build.execute(
        "select publish_id, unpublished_from from raw._publication"
    ).fetchone()
    return (unpublished_from or date.max) if published_id == last_publish else None


def _note_published(build: duckdb.DuckDBPyConnection, last_publish: int, publish_id: int, whole: bool) -> None:
    if whole:
        build.execute("create schema if not exists raw")
        build.execute(
            "create or replace table raw._publication as "
            "select cast($1 as bigint) as publish_id, cast(null as date) as unpublished_from",
            [publish_id],
        )
    elif has_table(build, "_publication"):
        build.execute("update raw._publication set publish_id = $1 where publish_id = $2", [publish_id, last_publish])


def _remove_unused(settings: Settings, used: set[Path]) -> None:
    """Remove what readers of the last publishes do not need, and what killed publishes left."""
    for schema in publication.SCHEMAS:
        for path in settings.published.glob(f"{schema}/*/*"):
            if path not in used:
                path.unlink()
    for path in settings.warehouse.parent.glob(f".{settings.warehouse.name}.*"):
        path.unlink()
