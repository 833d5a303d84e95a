"""The served store: permanent tables for readers, whose changed partitions are replaced in one transaction."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import duckdb
import psycopg
import pyarrow as pa
from psycopg import sql

from lakehouse.settings import Settings
from lakehouse.warehouse import publication
from lakehouse.warehouse.engines import postgres
from lakehouse.warehouse.engines.postgres import connect, has_table
from lakehouse.warehouse.live import LIVE, LiveTable, fund_flow_sql
from lakehouse.warehouse.publication import CannotPublish, Columns, Model, Partition, Publication, Snapshot

PUBLISH_LOCK = 361
READER, PII_READER = "c360_reader", "c360_pii_reader"


def query_serving(settings: Settings, statement: str, parameters: Sequence[Any] = ()) -> pa.Table:
    return postgres.query(settings, statement, parameters)


def content_hash(settings: Settings, table: str) -> str:
    with connect(settings) as connection:
        columns = _columns(connection, table)
        statement = sql.SQL("select count(*), {} from {}").format(_row_hash(columns), _identifier(table))
        count, total = connection.execute(statement).fetchone()
    return publication.partition_of(columns, count, int(total)).content_hash


def published(settings: Settings) -> Snapshot:
    with connect(settings) as connection:
        return _published(connection)


def publish(settings: Settings, models: list[Model], schemas: tuple[str, ...], told: Publication) -> int:
    """Replace the changed partitions of the readers' tables, and tell so, in one transaction."""
    with connect(settings) as connection:
        connection.execute("select pg_advisory_xact_lock(%s)", [PUBLISH_LOCK])
        if has_table(connection, "raw._state"):
            publication.check_finished(schemas, *connection.execute("select is_building from raw._state").fetchone())
        _ensure_schemas(connection)
        last = _published(connection)
        since = _unpublished_from(connection, last.publish_id)
        now = replace(last.without(schemas), publish_id=last.publish_id + 1)
        for name in last.publications.keys() - now.publications.keys() - {model.full_name for model in models}:
            _drop(connection, name)
        for model in models:
            columns = _columns(connection, model.built_name)
            publication.check_columns(model, columns)
            if model.is_view:
                definition = publication.published_definition(_view_sql(connection, model.built_name))
                _replace_view(connection, model, columns, definition)
                inputs = [now.publications[name].content_hash for name in model.reads]
                row_count, content = None, publication.view_hash(definition, inputs)
            else:
                before = last.partitions.get(model.full_name, {})
                parts = publication.current_partitions(
                    model, columns, before, since, _hasher(connection, model, columns)
                )
                _ensure_columns(connection, models, model, columns)
                _replace_rows(connection, model, columns, before, parts)
                now.partitions[model.full_name] = parts
                whole = publication.whole_of(columns, parts)
                row_count, content = whole.row_count, whole.content_hash
            now.publications[model.full_name] = replace(told, row_count=row_count, content_hash=content)
        if "marts.fund_flow_daily" in now.publications:
            _ensure_live(connection)
        _refill(connection, "ops.publications", now.publication_rows())
        _refill(connection, "ops.published_partitions", now.partition_rows())
        _note_published(connection, last.publish_id, now.publish_id, whole=set(schemas) == set(publication.SCHEMAS))
    return now.publish_id


def show_live(
    settings: Settings, con: duckdb.DuckDBPyConnection, cycle: int, tables: Sequence[LiveTable], afresh: bool
) -> None:
    """Give readers what changed in the large live tables, and the small ones whole, in one transaction."""
    with connect(settings) as connection:
        for table in tables:
            is_whole = afresh or not table.is_large
            if is_whole:
                connection.execute(sql.SQL("delete from {}").format(_kept(table)))
            changed = "true" if is_whole else f"changed = {cycle}"
            rows = con.sql(f"select {table.names} from {table.name} where {changed}").fetchall()
            if rows:
                _upsert(connection, table, rows)


def _kept(table: LiveTable) -> sql.Identifier:
    return sql.Identifier("intraday", table.name)


def _upsert(connection: psycopg.Connection, table: LiveTable, rows: list[tuple]) -> None:
    connection.execute(sql.SQL("create temp table changed (like {})").format(_kept(table)))
    with connection.cursor() as cursor, cursor.copy("copy changed from stdin") as copy:
        for row in rows:
            copy.write_row(row)
    updates = ", ".join(f"{name} = excluded.{name}" for name, _ in table.columns if name not in table.key)
    statement = f"insert into {{}} select * from changed on conflict ({', '.join(table.key)}) do update set {updates}"
    connection.execute(sql.SQL(statement).format(_kept(table)))
    connection.execute("drop table changed")


def _ensure_live(connection: psycopg.Connection) -> None:
    """The tables of the intraday loop, and the views through which readers see them; once."""
    connection.execute("create schema if not exists intraday")
    for table in LIVE:
        columns = ", ".join(f"{name} {type_}" for name, type_ in table.columns)
        connection.execute(
            sql.SQL(f"create table if not exists {{}} ({columns}, primary key ({', '.join(table.key)}))").format(
                _kept(table)
            )
        )
        _ensure_view(
            connection, table.full_name, f"select {table.names} from intraday.{table.name} where {table.past_watermark}"
        )
    _ensure_view(connection, "marts.fund_flow", fund_flow_sql())


def _ensure_view(connection: psycopg.Connection, name: str, definition: str) -> None:
    if _kind(connection, name) is None:
        connection.execute(sql.SQL(f"create view {{}} as {definition}").format(_identifier(name)))


def _published(connection: psycopg.Connection) -> Snapshot:
    if not has_table(connection, "ops.published_partitions"):
        return Snapshot.of_rows([], [])
    return Snapshot.of_rows(
        connection.execute("select * from ops.publications").fetchall(),
        connection.execute("select * from ops.published_partitions").fetchall(),
    )


def _ensure_schemas(connection: psycopg.Connection) -> None:
    """Readers' schemas and roles; nothing is granted to the public."""
    for role in (READER, PII_READER):
        if not connection.execute("select 1 from pg_roles where rolname = %s", [role]).fetchone():
            _create_role(connection, role)
    for schema in publication.SCHEMAS:
        connection.execute(sql.SQL("create schema if not exists {}").format(sql.Identifier(schema)))
        _open_schema(connection, schema, READER)
    for name, columns in (
        ("ops.publications", publication.PUBLICATIONS),
        ("ops.published_partitions", publication.PARTITIONS),
    ):
        definitions = [sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(type_)) for column, type_ in columns]
        statement = "create table if not exists {} ({})"
        connection.execute(sql.SQL(statement).format(_identifier(name), sql.SQL(", ").join(definitions)))
    if connection.execute("select to_regnamespace('pii') is not null").fetchone()[0]:
        _open_schema(connection, "pii", PII_READER)


def _create_role(connection: psycopg.Connection, role: str) -> None:
    try:
        with connection.transaction():
            connection.execute(sql.SQL("create role {}").format(sql.Identifier(role)))
    except psycopg.errors.DuplicateObject:
        pass  # made by another database of the same server, this moment
    except psycopg.errors.InsufficientPrivilege as error:
        raise CannotPublish(f"role {role} is missing: have an administrator run `create role {role}`") from error


def _open_schema(connection: psycopg.Connection, schema: str, role: str) -> None:
    """Let the role read what is in the schema and what will be; once, so that what a bank revokes stays revoked."""
    if connection.execute("select has_schema_privilege(%s, %s, 'usage')", [role, schema]).fetchone()[0]:
        return
    for statement in (
        "grant usage on schema {schema} to {role}",
        "grant select on all tables in schema {schema} to {role}",
        "alter default privileges in schema {schema} grant select on tables to {role}",
    ):
        connection.execute(sql.SQL(statement).format(schema=sql.Identifier(schema), role=sql.Identifier(role)))


def _columns(connection: psycopg.Connection, table: str) -> Columns:
    rows = connection.execute(
        "select attname, format_type(atttypid, atttypmod) from pg_attribute "
        "where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped order by attnum",
        [table],
    ).fetchall()
    if not rows:
        raise CannotPublish(f"{table} is not there: it was never built")
    return tuple(rows)


def _row_hash(columns: Columns) -> sql.Composed:
    """A record's hash is linear in those of its columns: hashed again, a swap between two rows shows in the sum."""
    names = _names(publication.content_columns(columns))
    hashed = "coalesce(sum(cast(hashint8extended(hash_record_extended(row({}), 0), 0) as numeric)), 0)"
    return sql.SQL(hashed).format(names)


def _hasher(connection: psycopg.Connection, model: Model, columns: Columns) -> publication.Hasher:
    def hash_rows(since: date | None) -> Iterable[tuple[date | None, int, int]]:
        statement = sql.SQL("select {}, count(*), {} from {} where {} group by 1").format(
            _month(model),
            _row_hash(columns),
            _identifier(model.built_name),
            sql.SQL("coalesce({} >= {}, true)").format(sql.Identifier(model.partition_by), since)
            if since
            else sql.SQL("true"),
        )
        return [(month, count, int(total)) for month, count, total in connection.execute(statement)]

    return hash_rows


def _month(model: Model) -> sql.Composable:
    if not model.partition_by:
        return sql.SQL("cast(null as date)")
    column = sql.Identifier(model.partition_by)
    return sql.SQL("cast(date_trunc('month', cast({} as timestamp)) as date)").format(column)


def _ensure_columns(connection: psycopg.Connection, models: list[Model], model: Model, columns: Columns) -> None:
    """Give the readers' table the columns of the built one, without dropping it: its grants and policies stay."""
    table = _identifier(model.full_name)
    if _kind(connection, model.full_name) != "r":
        _drop(connection, model.full_name)
        statement = sql.SQL("create table {} (like {})").format(table, _identifier(model.built_name))
        connection.execute(statement)
        if model.partition_by:
            index = sql.SQL("create index on {} ({})").format(table, sql.Identifier(model.partition_by))
            connection.execute(index)
        return
    present = set(_columns(connection, model.full_name))
    if present == set(columns):
        return
    for view in models:
        if view.is_view and model.full_name in view.reads:
            _drop(connection, view.full_name)
    for name, _ in present - set(columns):
        connection.execute(sql.SQL("alter table {} drop column {}").format(table, sql.Identifier(name)))
    for name, type_ in columns:
        if (name, type_) not in present:
            statement = sql.SQL("alter table {} add column {} {}")
            connection.execute(statement.format(table, sql.Identifier(name), sql.SQL(type_)))


def _replace_rows(
    connection: psycopg.Connection,
    model: Model,
    columns: Columns,
    before: dict[str, Partition],
    after: dict[str, Partition],
) -> None:
    """Delete and insert the partitions whose content differs, in one pass over each table."""
    changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    if not changed:
        return
    table, names = _identifier(model.full_name), _names(columns)
    where = _in_partitions(model, changed)
    connection.execute(sql.SQL("delete from {} where {}").format(table, where))
    statement = sql.SQL("insert into {} ({}) select {} from {} where {}")
    connection.execute(statement.format(table, names, names, _identifier(model.built_name), where))
    connection.execute(sql.SQL("analyze {}").format(table))


def _in_partitions(model: Model, keys: set[str]) -> sql.Composable:
    months = sorted(keys - {publication.WHOLE, publication.NO_DATE})
    if not model.partition_by or publication.WHOLE in keys:
        return sql.SQL("true")
    column = sql.Identifier(model.partition_by)
    conditions = [sql.SQL("{} is null").format(column)] if publication.NO_DATE in keys else []
    if months:
        bounds = [publication.month_bounds(month) for month in months]
        conditions.append(
            sql.SQL("({column} >= {first} and {column} < {following} and {month} = any({months}))").format(
                column=column,
                first=bounds[0][0],
                following=bounds[-1][1],
                month=_month(model),
                months=[first for first, _ in bounds],
            )
        )
    return sql.SQL(" or ").join(conditions)


def _view_sql(connection: psycopg.Connection, name: str) -> str:
    return connection.execute("select pg_get_viewdef(to_regclass(%s))", [name]).fetchone()[0]


def _replace_view(connection: psycopg.Connection, model: Model, columns: Columns, definition: str) -> None:
    if _kind(connection, model.full_name) == "v":
        if _view_sql(connection, model.full_name) == definition:
            return
        if _columns(connection, model.full_name) != columns:
            _drop(connection, model.full_name)
    else:
        _drop(connection, model.full_name)
    statement = sql.SQL("create or replace view {} as {}")
    connection.execute(statement.format(_identifier(model.full_name), sql.SQL(definition)))


def _kind(connection: psycopg.Connection, name: str) -> str | None:
    """``r`` for a table, ``v`` for a view."""
    row = connection.execute("select relkind from pg_class where oid = to_regclass(%s)", [name]).fetchone()
    return row[0] if row else None


def _drop(connection: psycopg.Connection, name: str) -> None:
    # what reads a dropped view is a live view, which is made again before the publish ends
    statement = {"r": "drop table {}", "v": "drop view {} cascade"}.get(_kind(connection, name))
    if statement:
        connection.execute(sql.SQL(statement).format(_identifier(name)))


def _refill(connection: psycopg.Connection, name: str, rows: list[tuple]) -> None:
    connection.execute(sql.SQL("delete from {}").format(_identifier(name)))
    with connection.cursor() as cursor, cursor.copy(sql.SQL("copy {} from stdin").format(_identifier(name))) as copy:
        for row in rows:
            copy.write_row(row)


def _unpublished_from(connection: psycopg.Connection, last_publish: int) -> date | None:
    """The date from which incremental tables may have changed since the last publish; None: all of them may have."""
    if not has_table(connection, "raw._publication"):
        return None
    publish_id, since = connection.execute("select publish_id, unpublished_from from raw._publication").fetchone()
    return (since or date.max) if publish_id == last_publish else None


def _note_published(connection: psycopg.Connection, last_publish: int, publish_id: int, whole: bool) -> None:
    if whole:
        connection.execute("create schema if not exists raw")
        connection.execute("drop table if exists raw._publication")
        connection.execute("create table raw._publication (publish_id bigint not null, unpublished_from date)")
        connection.execute("insert into raw._publication values (%s, null)", [publish_id])
    elif has_table(connection, "raw._publication"):
        connection.execute(
            "update raw._publication set publish_id = %s where publish_id = %s", [publish_id, last_publish]
        )


def _identifier(name: str) -> sql.Identifier:
    return sql.Identifier(*name.split("."))


def _names(columns: Columns) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(name) for name, _ in columns)
