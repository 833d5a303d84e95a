"""Postgres table: each batch is one transaction; sent again, it leaves the same rows.

With `mirror` the table is made if it is missing, and has two columns more: the publish and the event that wrote a row.
With `update_only` it is somebody else's: rows with the key get the columns of the contract.
"""

import json
from collections.abc import Generator
from contextlib import contextmanager
from typing import LiteralString, cast

import psycopg
import pyarrow as pa
from psycopg import sql

from lakehouse import warehouse
from lakehouse.activation.changes import DELETED
from lakehouse.activation.contract import Activation, PostgresTable, secret_of
from lakehouse.activation.targets import Batch, Deliver, Refused, Unreachable, Unusable
from lakehouse.settings import Settings
from lakehouse.sql import identifier

PUBLISH, EVENT = "c360_publish_id", "c360_event_id"
OPTIONS = "-c lock_timeout=30s -c statement_timeout=300s"


class _Client:
    """One connection, opened when it is needed and again when it broke."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection: psycopg.Connection | None = None

    def get(self) -> psycopg.Connection:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(self._dsn, connect_timeout=10, options=OPTIONS)
        return self._connection

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


class _Statements:
    """SQL for the table of a contract."""

    def __init__(self, activation: Activation) -> None:
        target = activation.target
        assert isinstance(target, PostgresTable)
        self.table = sql.Identifier(*target.table.split("."))
        self._key = [sql.Identifier(name) for name in activation.key]
        self._columns = [sql.Identifier(name) for name in activation.columns]

    @property
    def _same_key(self) -> sql.Composed:
        return sql.SQL(" and ").join(sql.SQL("t.{0} = d.{0}").format(name) for name in self._key)

    def _given(self) -> sql.Composed:
        """The rows of the one parameter, a JSON array, in the table's types."""
        return sql.SQL(
            "jsonb_array_elements(%s::jsonb) with ordinality as e (item, place), "
            "lateral jsonb_populate_record(null::{}, e.item) as d"
        ).format(self.table)

    def create(self, types: dict[str, str]) -> sql.Composed:
        key = sql.SQL(", ").join(self._key)
        columns = sql.SQL(", ").join(
            sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(cast("LiteralString", type_)))
            for name, type_ in types.items()
        )
        return sql.SQL("create table if not exists {} ({}, {} bigint, {} text, primary key ({}))").format(
            self.table, columns, sql.Identifier(PUBLISH), sql.Identifier(EVENT), key
        )

    def upsert(self) -> sql.Composed:
        """A row that a later publish wrote stays."""
        written = [*self._columns, sql.Identifier(PUBLISH), sql.Identifier(EVENT)]
        names = [*self._key, *written]
        return sql.SQL(
            "insert into {table} as t ({names}) select {given} from {rows} "
            "on conflict ({key}) do update set {sets} where coalesce(t.{publish} <= excluded.{publish}, true)"
        ).format(
            table=self.table,
            names=sql.SQL(", ").join(names),
            given=sql.SQL(", ").join(sql.SQL("d.{}").format(name) for name in names),
            rows=self._given(),
            key=sql.SQL(", ").join(self._key),
            sets=sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(name) for name in written),
            publish=sql.Identifier(PUBLISH),
        )

    def delete(self) -> sql.Composed:
        return sql.SQL("delete from {} as t using {} where {}").format(self.table, self._given(), self._same_key)

    def update(self) -> sql.Composed:
        """Returns the places of the rows that were there."""
        sets = sql.SQL(", ").join(sql.SQL("{0} = d.{0}").format(name) for name in self._columns)
        return sql.SQL("update {} as t set {} from {} where {} returning e.place").format(
            self.table, sets, self._given(), self._same_key
        )


@contextmanager
def opened(settings: Settings, activation: Activation) -> Generator[Deliver]:
    """Sends batches over one connection."""
    target = activation.target
    assert isinstance(target, PostgresTable)
    client = _Client(secret_of(settings, target.credential))
    try:
        yield _delivering(settings, activation, client, _Statements(activation))
    finally:
        client.close()


def _delivering(settings: Settings, activation: Activation, client: _Client, statements: _Statements) -> Deliver:
    is_made = activation.mode == "update_only"

    def deliver(batch: Batch) -> list[int]:
        nonlocal is_made
        try:
            connection = client.get()
            with connection.transaction():
                if not is_made:
                    connection.execute(statements.create(_types(settings, activation)))
                absent = _write(connection, statements, batch)
            is_made = True
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise Unreachable(f"Postgres: {_named(error)}") from error
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            raise Refused(f"Postgres: {_named(error)}") from error
        except psycopg.Error as error:
            raise Unusable(f"{activation.name}: Postgres: {_named(error)}", "correct the table, or the contract") from (
                error
            )
        return absent

    return deliver


def _write(connection: psycopg.Connection, statements: _Statements, batch: Batch) -> list[int]:
    events = batch.events
    records = [event["key"] | (event["row"] or {}) for event in events]
    if batch.activation.mode == "update_only":
        found = {place for (place,) in connection.execute(statements.update(), [json.dumps(records)])}
        return [place for place in range(len(records)) if place + 1 not in found]
    marks = [{PUBLISH: event["publish_id"], EVENT: event["id"]} for event in events]
    kept = [
        record | mark for record, mark, event in zip(records, marks, events, strict=True) if event["change"] != DELETED
    ]
    gone = [record for record, event in zip(records, events, strict=True) if event["change"] == DELETED]
    if kept:
        connection.execute(statements.upsert(), [json.dumps(kept)])
    if gone:
        connection.execute(statements.delete(), [json.dumps(gone)])
    return []


def _types(settings: Settings, activation: Activation) -> dict[str, str]:
    """Postgres' types of the columns that are sent."""
    names = (*activation.key, *activation.columns)
    columns = ", ".join(map(identifier, names))
    schema = warehouse.query_serving(settings, f"select {columns} from {activation.table} limit 0").schema
    return {field.name: _type(field.type) for field in schema}


def _type(of: pa.DataType) -> str:
    if pa.types.is_boolean(of):
        return "boolean"
    if pa.types.is_integer(of):
        return "bigint"
    if pa.types.is_floating(of):
        return "double precision"
    if pa.types.is_decimal(of):
        return f"numeric({of.precision}, {of.scale})"
    if pa.types.is_timestamp(of):
        return "timestamp"
    return "date" if pa.types.is_date(of) else "text"


def _named(error: psycopg.Error) -> str:
    """Which error, without its text, which may quote a row."""
    return f"{type(error).__name__} {error.sqlstate or ''}".strip()
