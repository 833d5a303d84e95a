"""The served store: permanent tables for readers, whose changed partitions are replaced in one transaction."""

from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from datetime import date
from functools import partial

import duckdb
import psycopg
import pyarrow as pa
from psycopg import sql

from lakehouse.errors import Stop
from lakehouse.settings import Settings
from lakehouse.sql import only_row
from lakehouse.warehouse import publication
from lakehouse.warehouse.canaries import BETWEEN, Texts
from lakehouse.warehouse.comments import Comments, missing_statements
from lakehouse.warehouse.engines import postgres as engine
from lakehouse.warehouse.engines import postgres_lock
from lakehouse.warehouse.engines.postgres import as_sql, connect, has_table
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
from lakehouse.warehouse.rights import Found, Rights, Unguarded
from lakehouse.warehouse.stores import Shown, postgres_rights
from lakehouse.warehouse.stores.postgres_rights import PII_READER, READER

PUBLISH_LOCK = 361
STEPS_ASIDE = "60s"  # for so long others wait behind what waits for a reader


def query_serving(settings: Settings, statement: str, parameters: Sequence[object] = ()) -> pa.Table:
    return engine.query(settings, statement, parameters)


def content_hash(settings: Settings, table: str) -> str:
    with connect(settings) as connection:
        columns = _columns(connection, table)
        statement = sql.SQL("select count(*), {} from {}").format(_row_hash(columns), _identifier(table))
        count, total = only_row(connection.execute(statement))
    return publication.partition_of(columns, count, int(total)).content_hash


def published(settings: Settings) -> Snapshot:
    with connect(settings) as connection:
        return _published(connection)


@contextmanager
def shown(settings: Settings) -> Generator[Shown]:
    """Comments are of a connection that comes a moment later: they change only with the code."""
    with engine.connect_arrow(settings) as arrow, arrow.cursor() as cursor, connect(settings) as connection:
        cursor.execute("set transaction isolation level repeatable read")
        last = "select max(publish_id) as publish_id, max(business_date) as business_date from ops.publications"
        if not has_table(connection, "ops.publications"):
            raise Stop("nothing is published yet: run the pipeline first (`c360 run`)")
        (about,) = engine.answer(cursor, last).to_pylist()
        yield Shown(
            about["publish_id"],
            about["business_date"],
            _present_comments(connection),
            lambda name: engine.answer(cursor, f"select * from {name}"),
            partial(engine.answer, cursor),
        )


@contextmanager
def publishing(settings: Settings) -> Generator["PostgresPublishing"]:
    """Replace the changed partitions of the readers' tables, and note it in ``ops``, in one transaction."""
    with connect(settings) as connection:
        postgres_lock.require_held(connection)
        connection.execute("select pg_advisory_xact_lock(%s)", [PUBLISH_LOCK])
        yield PostgresPublishing(connection)


class PostgresPublishing:
    """A publish within the transaction of a connection."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self.is_building = engine.is_building(connection)
        _ensure_schemas(connection)
        self.last = _published(connection)
        self.unpublished_from = engine.unpublished_from(connection, self.last.publish_id)
        self._connection = connection

    def columns(self, name: str) -> Columns:
        return _columns(self._connection, name)

    def texts(self, model: Model) -> Texts:
        since = publication.first_unpublished(model, self.unpublished_from)
        where: sql.Composable = sql.SQL("true")
        if since and model.partition_by:
            where = sql.SQL("coalesce({} >= {}, true)").format(sql.Identifier(model.partition_by), since)

        def read(names: Sequence[str]) -> pa.Table:
            statement = sql.SQL("select concat_ws({}, {}) from {} where {}").format(
                BETWEEN, sql.SQL(", ").join(map(sql.Identifier, names)), _identifier(model.built_name), where
            )
            texts = [text for (text,) in self._connection.execute(statement)]
            return pa.table({"text": pa.array(texts, pa.string())})

        return read

    def hasher(self, model: Model, columns: Columns) -> Hasher:
        def hash_rows(since: date | None) -> Iterable[tuple[date | None, int, int]]:
            where: sql.Composable = sql.SQL("true")
            if since and model.partition_by:
                where = sql.SQL("coalesce({} >= {}, true)").format(sql.Identifier(model.partition_by), since)
            statement = sql.SQL("select {}, count(*), {} from {} where {} group by 1").format(
                _month(model), _row_hash(columns), _identifier(model.built_name), where
            )
            return [(month, count, int(total)) for month, count, total in self._connection.execute(statement)]

        return hash_rows

    def definition(self, model: Model) -> str:
        return _view_sql(self._connection, model.built_name)

    def drop(self, name: str) -> None:
        _drop(self._connection, name)

    def replace_table(
        self,
        model: Model,
        columns: Columns,
        before: dict[str, Partition],
        after: dict[str, Partition],
        views: Sequence[str],
    ) -> None:
        """Delete and insert the partitions whose content differs, in one pass over each table."""
        self._ensure_columns(model, columns, views)
        changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
        if not changed:
            return
        table, names = _identifier(model.full_name), _names(columns)
        where = _in_partitions(model, changed)
        self._connection.execute(sql.SQL("delete from {} where {}").format(table, where))
        statement = sql.SQL("insert into {} ({}) select {} from {} where {}")
        self._connection.execute(statement.format(table, names, names, _identifier(model.built_name), where))
        self._connection.execute(sql.SQL("analyze {}").format(table))

    def replace_view(self, model: Model, columns: Columns, definition: str) -> None:
        name = model.full_name
        if _kind(self._connection, name) == "v":
            if _view_sql(self._connection, name) == definition:
                return
            if _columns(self._connection, name) != columns:
                self.drop(name)
        else:
            self.drop(name)
        statement = sql.SQL("create or replace view {} with (security_invoker = true) as {}")
        self._connection.execute(statement.format(_identifier(name), as_sql(definition)))

    def show(self, now: Snapshot, comments: Comments, has_live: bool, is_whole: bool) -> None:
        if has_live:
            _ensure_live(self._connection)
        _refill(self._connection, PUBLICATIONS.full_name, now.publication_rows())
        _refill(self._connection, PARTITIONS.full_name, now.partition_rows())
        _comment(self._connection, comments)

    def guard(self, rights: Rights, is_whole: bool) -> None:
        try:
            postgres_rights.guard(self._connection, rights, is_whole)
        except Unguarded as error:
            raise CannotPublish(f"readers would see what is not theirs: {error}; see `c360 roles verify`") from error

    def note_published(self, publish_id: int, is_whole: bool) -> None:
        engine.note_published(self._connection, self.last.publish_id, publish_id, is_whole)

    def _policies_of(self, table: str) -> list[str]:
        """Our policies on a table that name its columns: all but the owner's own."""
        rows = self._connection.execute(
            "select policyname from pg_policies where schemaname || '.' || tablename = %s "
            "and policyname like 'c360%%' and policyname <> %s",
            [table, postgres_rights.BY_OWNER],
        )
        return [name for (name,) in rows]

    def _ensure_columns(self, model: Model, columns: Columns, views: Sequence[str]) -> None:
        """Give the readers' table the columns of the built one, without dropping it: its grants and policies stay."""
        table, execute = _identifier(model.full_name), self._connection.execute
        if _kind(self._connection, model.full_name) != "r":
            self.drop(model.full_name)
            execute(sql.SQL("create table {} (like {})").format(table, _identifier(model.built_name)))
            if model.partition_by:
                execute(sql.SQL("create index on {} ({})").format(table, sql.Identifier(model.partition_by)))
            return
        present = set(self.columns(model.full_name))
        if present == set(columns):
            return
        for view in views:
            self.drop(view)
        for policy in self._policies_of(model.full_name):  # they come back before the publish ends
            execute(sql.SQL("drop policy {} on {}").format(sql.Identifier(policy), table))
        for name, _ in present - set(columns):
            execute(sql.SQL("alter table {} drop column {}").format(table, sql.Identifier(name)))
        for name, type_ in columns:
            if (name, type_) not in present:
                statement = sql.SQL("alter table {} add column {} {}")
                execute(statement.format(table, sql.Identifier(name), as_sql(type_)))


def apply_rights(settings: Settings, rights: Rights) -> list[Found]:
    """Make rights what they should be; returns what an administrator has to mend."""
    with connect(settings) as connection:
        connection.execute("select pg_advisory_xact_lock(%s)", [PUBLISH_LOCK])
        return postgres_rights.apply(connection, rights)


def look_at_rights(settings: Settings, rights: Rights) -> list[Found]:
    """Every right as it should be and as it is."""
    with connect(settings) as connection:
        return postgres_rights.look_at(connection, rights)


def remove_retired(settings: Settings) -> int:
    """Write tables anew: neither a replaced row nor the planner's sample of a column leaves the files otherwise.

    Readers of a table wait for as long as that takes.

    Raises
    ------
    Stop
        If a table is read for longer than `STEPS_ASIDE`, or the role does not own the database.
    """
    refused: list[str] = []
    with connect(settings, autocommit=True) as connection:
        connection.add_notice_handler(lambda notice: refused.append(str(notice.message_primary)))
        connection.execute(sql.SQL("set lock_timeout = {}").format(sql.Literal(STEPS_ASIDE)))
        tables = connection.execute(
            "select schemaname, tablename from pg_tables where schemaname = any(%s) order by schemaname, tablename",
            [[*publication.SCHEMAS, "intraday"]],
        ).fetchall()
        for table in (*tables, ("pg_catalog", "pg_statistic")):
            try:
                connection.execute(sql.SQL("vacuum (full) {}").format(sql.Identifier(*table)))
            except psycopg.errors.LockNotAvailable as error:
                what = f"{'.'.join(table)} is being read, so what it held before cannot be overwritten"
                raise Stop(what, "call it again when the reader has ended") from error
    if refused:
        raise Stop(
            f"what readers' tables held before cannot be overwritten: {refused[0]}",
            "have an administrator run `alter database ... owner to` the role of C360_POSTGRES_DSN, and call it again",
        )
    return len(tables)


def show_live(
    settings: Settings, con: duckdb.DuckDBPyConnection, cycle: int, tables: Sequence[LiveTable], afresh: bool
) -> None:
    """Give readers what changed in the large live tables, and the small ones whole, in one transaction."""
    with connect(settings) as connection:
        for table in tables:
            is_whole = afresh or not table.is_large
            if is_whole:
                connection.execute(sql.SQL("delete from {}").format(_live_table(table)))
            changed = "true" if is_whole else f"changed = {cycle}"
            rows = con.sql(f"select {table.names} from {table.name} where {changed}").fetchall()
            if rows:
                _upsert(connection, table, rows)


def _live_table(table: LiveTable) -> sql.Identifier:
    return sql.Identifier("intraday", table.name)


def _upsert(connection: psycopg.Connection, table: LiveTable, rows: list[tuple]) -> None:
    connection.execute(sql.SQL("create temp table changed (like {})").format(_live_table(table)))
    with connection.cursor() as cursor, cursor.copy("copy changed from stdin") as copy:
        for row in rows:
            copy.write_row(row)
    updates = ", ".join(f"{name} = excluded.{name}" for name, _ in table.columns if name not in table.key)
    statement = f"insert into {{}} select * from changed on conflict ({', '.join(table.key)}) do update set {updates}"
    connection.execute(as_sql(statement).format(_live_table(table)))
    connection.execute("drop table changed")


def _ensure_live(connection: psycopg.Connection) -> None:
    """The tables of the intraday loop, and the views through which readers see them; once."""
    connection.execute("create schema if not exists intraday")
    _open_schema(connection, "intraday", READER)  # views ask for the rights of who reads them
    for table in LIVE:
        columns = ", ".join(f"{name} {type_}" for name, type_ in table.columns)
        _drop_other_shape(connection, table)
        connection.execute(
            as_sql(f"create table if not exists {{}} ({columns}, primary key ({', '.join(table.key)}))").format(
                _live_table(table)
            )
        )
        _ensure_view(
            connection, table.full_name, f"select {table.names} from intraday.{table.name} where {table.past_watermark}"
        )
    _ensure_view(connection, "marts.fund_flow", fund_flow_sql())


def _drop_other_shape(connection: psycopg.Connection, table: LiveTable) -> None:
    """Drop a table, and the view over it, that another version of the code left: the loop fills the new one."""
    rows = connection.execute(
        "select column_name from information_schema.columns where table_schema = 'intraday' and table_name = %s "
        "order by ordinal_position",
        [table.name],
    ).fetchall()
    if rows and [name for (name,) in rows] != [name for name, _ in table.columns]:
        connection.execute(sql.SQL("drop table {} cascade").format(_live_table(table)))


def _ensure_view(connection: psycopg.Connection, name: str, definition: str) -> None:
    if _kind(connection, name) is None:
        connection.execute(
            as_sql(f"create view {{}} with (security_invoker = true) as {definition}").format(_identifier(name))
        )


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
    for own in (PUBLICATIONS, PARTITIONS):
        columns = own.typed_columns
        definitions = [sql.SQL("{} {}").format(sql.Identifier(column), as_sql(type_)) for column, type_ in columns]
        statement = "create table if not exists {} ({})"
        connection.execute(as_sql(statement).format(_identifier(own.full_name), sql.SQL(", ").join(definitions)))
    if only_row(connection.execute("select to_regnamespace('pii') is not null"))[0]:
        _open_schema(connection, "pii", PII_READER)


def _create_role(connection: psycopg.Connection, role: str) -> None:
    try:
        with connection.transaction():
            connection.execute(sql.SQL("create role {}").format(sql.Identifier(role)))
    except psycopg.errors.DuplicateObject:
        pass  # a publish in another database of the server has just made it
    except psycopg.errors.InsufficientPrivilege as error:
        raise CannotPublish(f"role {role} is missing: have an administrator run `create role {role}`") from error


def _open_schema(connection: psycopg.Connection, schema: str, role: str) -> None:
    """Let the role read what is in the schema and what will be; once, so that what a bank revokes stays revoked."""
    if only_row(connection.execute("select has_schema_privilege(%s, %s, 'usage')", [role, schema]))[0]:
        return
    for statement in (
        "grant usage on schema {schema} to {role}",
        "grant select on all tables in schema {schema} to {role}",
        "alter default privileges in schema {schema} grant select on tables to {role}",
    ):
        connection.execute(as_sql(statement).format(schema=sql.Identifier(schema), role=sql.Identifier(role)))


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


def _month(model: Model) -> sql.Composable:
    if not model.partition_by:
        return sql.SQL("cast(null as date)")
    column = sql.Identifier(model.partition_by)
    return sql.SQL("cast(date_trunc('month', cast({} as timestamp)) as date)").format(column)


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
    return only_row(connection.execute("select pg_get_viewdef(to_regclass(%s))", [name]))[0]


def _kind(connection: psycopg.Connection, name: str) -> str | None:
    """``r`` for a table, ``v`` for a view."""
    row = connection.execute("select relkind from pg_class where oid = to_regclass(%s)", [name]).fetchone()
    return row[0] if row else None


def _drop(connection: psycopg.Connection, name: str) -> None:
    # what reads a dropped view is a live view, which is made again before the publish ends
    statement = {"r": "drop table {}", "v": "drop view {} cascade"}.get(_kind(connection, name) or "")
    if statement:
        connection.execute(as_sql(statement).format(_identifier(name)))


def _refill(connection: psycopg.Connection, name: str, rows: list[tuple]) -> None:
    connection.execute(sql.SQL("delete from {}").format(_identifier(name)))
    with connection.cursor() as cursor, cursor.copy(sql.SQL("copy {} from stdin").format(_identifier(name))) as copy:
        for row in rows:
            copy.write_row(row)


def _present_comments(connection: psycopg.Connection) -> list[tuple[str, str | None, str | None]]:
    """The comment of every table, view and column, None where there is none."""
    return connection.execute(
        "select namespaces.nspname || '.' || relations.relname, attributes.attname, descriptions.description "
        "from pg_class as relations inner join pg_namespace as namespaces on namespaces.oid = relations.relnamespace "
        "cross join lateral (select cast(null as name) as attname, 0 as attnum union all "
        "select attname, attnum from pg_attribute "
        "where attrelid = relations.oid and attnum > 0 and not attisdropped) as attributes "
        "left join pg_description as descriptions on descriptions.objoid = relations.oid "
        "and descriptions.classoid = cast('pg_class' as regclass) and descriptions.objsubid = attributes.attnum "
        "where namespaces.nspname = any(%s) and relations.relkind in ('r', 'v')",
        [list(publication.SCHEMAS)],
    ).fetchall()


def _comment(connection: psycopg.Connection, comments: Comments) -> None:
    """Give every table and column its comment, where it has none or another."""
    statements = [
        sql.SQL("comment on column {} is {}").format(sql.Identifier(*name.split("."), column), sql.Literal(text))
        if column
        else as_sql(f"comment on {'table' if _kind(connection, name) == 'r' else 'view'} {{}} is {{}}").format(
            _identifier(name), sql.Literal(text)
        )
        for name, column, text in missing_statements(comments, _present_comments(connection))
    ]
    if statements:
        connection.execute(sql.SQL(";").join(statements))


def _identifier(name: str) -> sql.Identifier:
    return sql.Identifier(*name.split("."))


def _names(columns: Columns) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(name) for name, _ in columns)
