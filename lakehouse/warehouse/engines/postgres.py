"""The served build engine: the lake's files copied into Postgres tables, only new ones, in one transaction."""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, LiteralString, cast

import duckdb
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import Conninfo

from lakehouse.catalog import Relation
from lakehouse.errors import Stop
from lakehouse.settings import Settings
from lakehouse.sql import only_row
from lakehouse.warehouse import state
from lakehouse.warehouse.changes import BuildState
from lakehouse.warehouse.engines import postgres_lock
from lakehouse.warehouse.publication import BUILT_SCHEMAS
from lakehouse.warehouse.relations import ATTACHED, LakeTable, SmallTable, attached_files, select

if TYPE_CHECKING:
    import adbc_driver_postgresql.dbapi as adbc

BUILD_SCHEMAS = ("raw", "quarantine", "staging", "pii", "build_seeds", "build_intermediate", *BUILT_SCHEMAS)
BATCH_ROWS = 100_000
PROFILE = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD", "dbname": "DATABASE"}  # of dbt
OPTIONS = "-c client_connection_check_interval=1000 -c timezone=UTC"
# The planner takes ranked versions for one row, and joins the next table to it row by row: for minutes, not a second.
OPTIONS_OF_DBT = "-c enable_nestloop=off"


def attach(settings: Settings, lake_tables: list[LakeTable], small_tables: list[SmallTable]) -> None:
    """Copy new files in, delete what is no longer pinned, and follow what was superseded: all or nothing."""
    with connect_arrow(settings) as connection, connection.cursor() as cursor:
        for schema in ("raw", "quarantine"):
            _execute(cursor, sql.SQL("create schema if not exists {}").format(sql.Identifier(schema)))
        _ensure_table(cursor, ATTACHED)
        cursor.execute("lock table raw._attached in exclusive mode")
        cursor.execute("select relation, file, _superseded_date from raw._attached")
        attached: dict[str, dict[str, date | None]] = {}
        for row in cursor.fetch_arrow_table().to_pylist():
            attached.setdefault(row["relation"], {})[row["file"]] = row["_superseded_date"]
        for table in lake_tables:
            is_new = _ensure_table(cursor, table.relation)
            if is_new:
                _index(cursor, table.relation)
            before = {} if is_new else attached.get(table.relation.full_name, {})
            _follow(cursor, table, before, settings.memory_limit)
        for small in (attached_files(lake_tables), *small_tables):
            _ensure_table(cursor, small.relation)
            _refill(cursor, small)
        connection.commit()


def read_state(settings: Settings, wait: float) -> BuildState | None:
    with connect(settings) as connection:
        if not has_table(connection, "raw._state"):
            return None
        (text,) = only_row(connection.execute("select state from raw._state"))
    return state.from_text(text)


def begin_build(settings: Settings) -> None:
    with connect(settings) as connection:
        if has_table(connection, "raw._state"):
            connection.execute("update raw._state set is_building = true")


def write_state(settings: Settings, built: BuildState) -> None:
    with connect(settings) as connection:
        postgres_lock.require_held(connection)
        connection.execute("create schema if not exists raw")
        connection.execute("drop table if exists raw._state")
        connection.execute("create table raw._state (state varchar not null, is_building boolean not null)")
        connection.execute("insert into raw._state values (%s, false)", [state.to_text(built)])


def mark_unpublished(settings: Settings, since: date) -> None:
    with connect(settings) as connection:
        if has_table(connection, "raw._publication"):
            connection.execute("update raw._publication set unpublished_from = least(unpublished_from, %s)", [since])


def query(settings: Settings, statement: str, parameters: Sequence[object] = ()) -> pa.Table:
    with connect_arrow(settings) as connection, connection.cursor() as cursor:
        return answer(cursor, statement, parameters)


def answer(cursor: adbc.Cursor, statement: str, parameters: Sequence[object] = ()) -> pa.Table:
    """Rows of a query, amounts as exact decimals."""
    cursor.execute(statement, list(parameters) or None)
    table = cursor.fetch_arrow_table()
    for position, field in enumerate(table.schema):
        if field.metadata.get(b"POSTGRESQL:type") == b"numeric":
            column = _decimals(table.column(position), int(field.metadata[b"POSTGRESQL:typmod"]))
            table = table.set_column(position, field.name, column)
    return table.replace_schema_metadata(None)


def reading(settings: Settings) -> AbstractContextManager[None]:
    return nullcontext()  # a connection costs little here, and one that stays open would hold back vacuuming


def hand_over(settings: Settings) -> None:
    pass  # they read where dbt builds


def drop_build(settings: Settings) -> None:
    with connect(settings) as connection:
        for schema in BUILD_SCHEMAS:
            connection.execute(sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(schema)))


@contextmanager
def exclusive(settings: Settings, wait: float) -> Generator[None]:
    with connect(settings, autocommit=True) as connection, postgres_lock.held(connection, wait, BUILD_SCHEMAS):
        yield


def connect(settings: Settings, autocommit: bool = False) -> psycopg.Connection:
    """A connection to the deployment's database.

    Raises
    ------
    Stop
        If the server cannot be reached.
    """
    try:
        return psycopg.connect(dsn(settings), autocommit=autocommit)
    except psycopg.OperationalError as error:
        raise _unreachable(error) from error


def dsn(settings: Settings) -> str:
    """The connection string; a statement whose client was killed ends within a second."""
    return make_conninfo("", **_stated(settings))


def environment(settings: Settings) -> dict[str, str]:
    """The same for dbt: the variables of its profile, and of all else, such as ``sslmode``, those that libpq reads.

    Raises
    ------
    Stop
        If the connection string states what libpq reads from no variable: it would not hold for dbt.
    """
    variables = {
        option.keyword.decode(): option.envvar.decode()
        for option in Conninfo.get_defaults()
        if option.envvar is not None
    } | {key: f"C360_PG_{name}" for key, name in PROFILE.items()}
    stated = _stated(settings)
    if unknown := sorted(stated.keys() - variables.keys()):
        raise Stop(f"C360_POSTGRES_DSN states {unknown[0]}, which does not reach dbt", "leave it out")
    stated["options"] += f" {OPTIONS_OF_DBT}"
    return {variables[key]: value for key, value in stated.items()}


def _stated(settings: Settings) -> dict[str, str]:
    """What the connection string states, with what the project adds; without one, libpq would connect anywhere."""
    if not settings.postgres_dsn:
        raise Stop(
            "C360_POSTGRES_DSN is not set", "give postgresql://user:password@host:port/database, or name its file"
        )
    try:
        stated = conninfo_to_dict(settings.postgres_dsn.get_secret_value())
    except psycopg.ProgrammingError:  # its text may show the password
        raise Stop("C360_POSTGRES_DSN is wrong", "give postgresql://user:password@host:port/database") from None
    given = {key: str(value) for key, value in stated.items() if value not in (None, "")}
    options = " ".join(filter(None, (given.get("options"), OPTIONS)))
    return {"application_name": "c360"} | given | {"options": options}


def as_sql(text: str) -> sql.SQL:
    """SQL that this project writes itself; names and values that come from elsewhere are never part of it."""
    return sql.SQL(cast("LiteralString", text))


def has_table(connection: psycopg.Connection, name: str) -> bool:
    """Whether there is a table or view of the name, which has its schema in front."""
    return only_row(connection.execute("select to_regclass(%s) is not null", [name]))[0]


def is_building(connection: psycopg.Connection) -> bool:
    """Whether a build has begun and not ended."""
    return has_table(connection, "raw._state") and only_row(connection.execute("select is_building from raw._state"))[0]


def unpublished_from(connection: psycopg.Connection, last_publish: int) -> date | None:
    """The date from which incremental tables may have changed since the last publish; None: all of them may have."""
    if not has_table(connection, "raw._publication"):
        return None
    publish_id, since = only_row(connection.execute("select publish_id, unpublished_from from raw._publication"))
    return (since or date.max) if publish_id == last_publish else None


def note_published(connection: psycopg.Connection, last_publish: int, publish_id: int, is_whole: bool) -> None:
    """Remember the publish; if it was whole, also that nothing is unpublished."""
    if is_whole:
        connection.execute("create schema if not exists raw")
        connection.execute("drop table if exists raw._publication")
        connection.execute("create table raw._publication (publish_id bigint not null, unpublished_from date)")
        connection.execute("insert into raw._publication values (%s, null)", [publish_id])
    elif has_table(connection, "raw._publication"):
        connection.execute(
            "update raw._publication set publish_id = %s where publish_id = %s", [publish_id, last_publish]
        )


def connect_arrow(settings: Settings) -> adbc.Connection:
    """A connection that answers in Arrow; raises `Stop` if the server cannot be reached."""
    import adbc_driver_postgresql.dbapi as adbc  # it brings pandas along, for which no command on DuckDB waits

    try:
        return adbc.connect(dsn(settings))
    except adbc.OperationalError as error:
        raise _unreachable(error) from error


def _unreachable(error: Exception) -> Stop:
    return Stop(f"Postgres cannot be reached: {str(error).strip()}", "start the server, or correct C360_POSTGRES_DSN")


def _follow(cursor: adbc.Cursor, table: LakeTable, attached: dict[str, date | None], memory_limit: str) -> None:
    """Make the engine's table hold the rows of exactly the files of ``table``."""
    name = _identifier(table.relation)
    wanted = {str(file.path): file for file in table.files}
    gone = attached.keys() - wanted.keys()
    if gone and not _names_deliveries(table.relation):
        _execute(cursor, sql.SQL("delete from {}").format(name))
        attached = {}
    elif gone:
        _execute(
            cursor,
            sql.SQL(
                "delete from {} where _delivery in (select _delivery from raw._attached where relation = $1 "
                "and file in (select json_array_elements_text(cast($2 as json))))"
            ).format(name),
            [table.relation.full_name, json.dumps(sorted(gone))],
        )
    superseded: dict[date | None, list[str | None]] = {}
    for path in attached.keys() & wanted.keys():
        file = wanted[path]
        if attached[path] != file.superseded_date:
            superseded.setdefault(file.superseded_date, []).append(file.delivery)
    for day, deliveries in superseded.items():
        _execute(
            cursor,
            sql.SQL(
                "update {} set _superseded_date = cast($1 as date) "
                "where _delivery in (select json_array_elements_text(cast($2 as json)))"
            ).format(name),
            [day and str(day), json.dumps(deliveries)],
        )
    new = tuple(file for path, file in wanted.items() if path not in attached)
    if new:
        _copy(cursor, replace(table, files=new), memory_limit)
    if new or gone or superseded:
        _execute(cursor, sql.SQL("analyze {}").format(name))


def _copy(cursor: adbc.Cursor, table: LakeTable, memory_limit: str) -> None:
    """Stream files in with the very SQL that is a view on DuckDB, so that names and types cannot differ."""
    with duckdb.connect(config={"memory_limit": memory_limit}) as reader:
        reader.register("attached_files", attached_files([table]).rows)
        reader.execute("create schema raw; create table raw._attached as select * from attached_files")
        rows = reader.sql(select(table)).to_arrow_reader(BATCH_ROWS)
        cursor.adbc_ingest(table.relation.name, rows, mode="append", db_schema_name=table.relation.schema)


def _refill(cursor: adbc.Cursor, table: SmallTable) -> None:
    _execute(cursor, sql.SQL("delete from {}").format(_identifier(table.relation)))
    cursor.adbc_ingest(table.relation.name, table.rows, mode="append", db_schema_name=table.relation.schema)


def _ensure_table(cursor: adbc.Cursor, relation: Relation) -> bool:
    """Create the table, or create it anew if its columns have changed; dbt makes the views over it again."""
    columns = relation.typed_columns
    signature = json.dumps(columns)
    cursor.execute("select obj_description(to_regclass($1), 'pg_class') as signature", [relation.full_name])
    if cursor.fetch_arrow_table()["signature"][0].as_py() == signature:
        return False
    table = _identifier(relation)
    _execute(cursor, sql.SQL("drop table if exists {} cascade").format(table))
    definitions = [sql.SQL("{} {}").format(sql.Identifier(column), as_sql(type_)) for column, type_ in columns]
    _execute(cursor, sql.SQL("create table {} ({})").format(table, sql.SQL(", ").join(definitions)))
    _execute(cursor, sql.SQL("comment on table {} is {}").format(table, sql.Literal(signature)))
    return True


def _index(cursor: adbc.Cursor, relation: Relation) -> None:
    """Block ranges suit delivery and business date, since files come in whole, day after day."""
    indexed = [relation.date_column] if relation.date_column else []
    indexed += ["_delivery"] if _names_deliveries(relation) else []
    for column in indexed:
        statement = sql.SQL("create index on {} using brin ({})")
        _execute(cursor, statement.format(_identifier(relation), sql.Identifier(column)))


def _names_deliveries(relation: Relation) -> bool:
    """Whether each row says which delivery it came by."""
    return any(column.name == "_delivery" for column in relation.per_file)


def _identifier(relation: Relation) -> sql.Identifier:
    return sql.Identifier(relation.schema, relation.name)


def _execute(cursor: adbc.Cursor, statement: sql.Composed, parameters: Sequence[object] = ()) -> None:
    cursor.execute(statement.as_string(), list(parameters) or None)


def _decimals(column: pa.ChunkedArray, typmod: int) -> pa.ChunkedArray:
    """Exact decimals from the text that ADBC hands over; a numeric without a declared scale gets its longest."""
    text = column.cast(pa.string())
    if typmod > 0:
        return text.cast(pa.decimal128((typmod - 4) >> 16, (typmod - 4) & 0x7FF))
    fractions = pc.utf8_length(pc.list_element(pc.split_pattern(pc.binary_join_element_wise(text, "", "."), "."), 1))
    return text.cast(pa.decimal128(38, pc.max(fractions).as_py() or 0))
