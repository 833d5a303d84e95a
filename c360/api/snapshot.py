"""The tables of one publish, in memory, with an index on every key: an answer takes milliseconds on either store."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from c360.api.resources import RESOURCES, Resource
from lakehouse import warehouse
from lakehouse.errors import Stop
from lakehouse.settings import Settings
from lakehouse.sql import identifier

SECONDS = 1.0  # between two looks for a new publish


@dataclass(frozen=True)
class Column:
    """A column as readers know it."""

    name: str
    type: pa.DataType
    comment: str


class Snapshot:
    """What one publish holds of every resource."""

    def __init__(self, settings: Settings) -> None:
        self._connection = duckdb.connect(config={"threads": 1})  # answers are short; a load must not hold them up
        self.columns: dict[str, dict[str, Column]] = {}
        with warehouse.shown(settings) as shown:
            self.publish_id, self.business_date = shown.publish_id, shown.business_date
            comments = {(table, column): comment or "" for table, column, comment in shown.comments}
            for resource in RESOURCES:
                rows = shown.rows(resource.table)
                self.columns[resource.name] = {
                    field.name: Column(field.name, field.type, comments.get((resource.table, field.name), ""))
                    for field in rows.schema
                }
                self._load(resource, rows)

    def _load(self, resource: Resource, rows: pa.RecordBatchReader | pa.Table) -> None:
        name = identifier(resource.name)
        order = ", ".join(map(identifier, resource.key))
        self._connection.register("given", rows)
        self._connection.execute(f"create table {name} as select * from given order by {order}")
        self._connection.unregister("given")
        self._connection.execute(f"create unique index {identifier(resource.name + '_key')} on {name} ({order})")
        if resource.is_of_customer:
            index = identifier(resource.name + "_customer")
            self._connection.execute(f"create index {index} on {name} (customer_key)")

    def rows(
        self,
        resource: Resource,
        fixed: Mapping[str, Any],
        fields: Sequence[str],
        after: Sequence[Any] | None = None,
        limit: int | None = None,
    ) -> list[dict[str, Any]]:
        """Rows in the order of the key.

        Parameters
        ----------
        fixed : mapping
            Column -> the value that it must have.
        fields : sequence of str
            Columns to return.
        after : sequence, optional
            Values of the key of the last row of the page before.
        """
        order = ", ".join(map(identifier, resource.key))
        conditions = [f"{identifier(name)} = ?" for name in fixed]
        values = list(fixed.values())
        if after is not None:
            conditions.append(f"({order}) > ({', '.join('?' * len(resource.key))})")
            values += after
        statement = f"select {', '.join(map(identifier, fields))} from {identifier(resource.name)}"
        statement += f" where {' and '.join(conditions)}" if conditions else ""
        statement += f" order by {order}" + (f" limit {limit}" if limit else "")
        with self._connection.cursor() as cursor:
            found = cursor.execute(statement, values).fetchall()
        return [dict(zip(fields, row, strict=True)) for row in found]


class Current:
    """The snapshot of the last publish, looked for once a second."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stopping = threading.Event()
        self.snapshot = Snapshot(settings)

    def __enter__(self) -> Current:
        self._thread = threading.Thread(target=self._follow, name="publishes", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _follow(self) -> None:
        while not self._stopping.wait(SECONDS):
            # a store that is away for a moment: readers keep what they have
            with suppress(Stop, duckdb.Error, OSError):
                if published_id(self._settings) != self.snapshot.publish_id:
                    self.snapshot = Snapshot(self._settings)


def published_id(settings: Settings) -> int:
    """The last publish."""
    (row,) = warehouse.query_serving(settings, "select max(publish_id) as id from ops.publications").to_pylist()
    return row["id"]
