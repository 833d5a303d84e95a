"""The tables of one publish, in memory: Arrow columns in the order of the key, with an index of customers.

An answer reads a few cells: no SQL runs for it. A new publish is read by a process of its own (`c360.api.following`),
which hands the tables over as a file that is mapped into memory.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from c360.api.prepared import Prepared, Statements, prepare
from c360.api.resources import RESOURCES, Resource
from lakehouse import warehouse
from lakehouse.contracts import IMPORTANT
from lakehouse.settings import Settings

FEW = 16  # rows up to which cells are read one by one
ABOUT, LEVEL = b"c360", b"c360_level"
ABOUT_FILE = "about.json"
LEVELS = "ops.column_levels"  # which answers read beside the resources
LEVELS_SQL = f"select schema_name, table_name, column_name, security_level from {LEVELS}"
Made = TypeVar("Made")


@dataclass(frozen=True)
class Column:
    """A column as readers know it."""

    name: str
    type: pa.DataType
    comment: str
    level: str = IMPORTANT  # of security


class Rows:
    """The rows of one resource, in the order of its key."""

    def __init__(self, resource: Resource, table: pa.Table) -> None:
        self._key = resource.key
        self._table = table
        self._columns = {name: table.column(name).combine_chunks() for name in table.column_names}
        keys = self._columns["customer_key"].dictionary_encode()
        codes = keys.indices.fill_null(len(keys.dictionary)).to_numpy()  # rows of no customer come last
        self._by_customer = np.argsort(codes, kind="stable")
        self._starts = np.searchsorted(codes, np.arange(len(keys.dictionary) + 1), sorter=self._by_customer)
        self._customers = {key: place for place, key in enumerate(keys.dictionary.to_pylist())}

    def __contains__(self, customer_key: str) -> bool:
        return customer_key in self._customers

    def places_of(self, customers: Collection[str]) -> np.ndarray:
        """Places of the rows of some customers, in order."""
        numbers = [number for key in customers if (number := self._customers.get(key)) is not None]
        found = [self._by_customer[slice(*self._starts[number : number + 2])] for number in numbers]
        return np.sort(np.concatenate(found)) if found else np.empty(0, dtype=np.int64)

    def find(
        self,
        fixed: Mapping[str, Any],
        after: Sequence[Any] | None,
        limit: int | None,
        among: np.ndarray | None = None,
    ) -> Sequence[int]:
        """Places of rows, in order.

        Parameters
        ----------
        fixed : mapping
            Column -> the value that it must have.
        after : sequence, optional
            Values of the key of the last row of the page before.
        among : array of int, optional
            Places of the only rows that there are for who asks, in order.

        Raises
        ------
        TypeError
            If these are no values of the key.
        """
        others = dict(fixed)
        there = range(len(self._table)) if among is None else among
        first = 0 if after is None else bisect_right(there, tuple(after), key=self._key_at)
        places: np.ndarray | range = there[first:]
        if "customer_key" in others:
            mine = self.places_of([others.pop("customer_key")])
            if among is not None:
                mine = mine[np.isin(mine, among, assume_unique=True)]
            places = mine[mine >= places[0]] if len(places) else mine[:0]
        if others:
            places = np.asarray(places, dtype=np.int64)
            for name, value in others.items():
                places = places[self._are(name, value, places)]
        return places[:limit].tolist() if isinstance(places, np.ndarray) else places[:limit]

    def read(self, places: Sequence[int], fields: Sequence[str]) -> list[dict[str, object]]:
        """The rows at the places."""
        if len(places) > FEW:
            return self._table.select(list(fields)).take(pa.array(places, pa.int64())).to_pylist()
        columns = [(name, self._columns[name]) for name in fields]
        return [{name: column[place].as_py() for name, column in columns} for place in places]

    def _key_at(self, place: int) -> tuple[Any, ...]:
        return tuple(self._columns[name][place].as_py() for name in self._key)

    def _are(self, name: str, value: Any, places: np.ndarray) -> np.ndarray:
        """Which of the rows have the value."""
        column = self._columns[name]
        try:
            wanted = pa.scalar(value, column.type)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            return np.zeros(len(places), dtype=bool)  # a value that the column cannot hold
        equal = pc.equal(column.take(pa.array(places)), wanted)
        return equal.fill_null(False).to_numpy(zero_copy_only=False)


class Snapshot:
    """What one publish holds of every resource, and what pages show of it."""

    def __init__(
        self,
        publish_id: int,
        business_date: date,
        tables: Mapping[str, pa.Table],
        prepared: Mapping[str, pa.Table] = MappingProxyType({}),
    ) -> None:
        self.publish_id, self.business_date = publish_id, business_date
        self.prepared = Prepared(prepared)
        self.columns = {name: {field.name: _column(field) for field in table.schema} for name, table in tables.items()}
        self._rows = {resource.name: Rows(resource, tables[resource.name]) for resource in RESOURCES}
        self._made: dict[Hashable, Any] = {}

    def once(self, name: Hashable, make: Callable[[], Made]) -> Made:
        """What ``make`` gave for the name first; kept as long as this publish is."""
        return self._made[name] if name in self._made else self._made.setdefault(name, make())

    @classmethod
    def of_store(cls, settings: Settings, statements: Statements | None = None) -> Snapshot:
        """What is published now."""
        return cls(*read_store(settings, statements))

    @classmethod
    def of_folder(cls, folder: Path) -> Snapshot:
        """What `write_store` wrote; the files may be removed once they are mapped."""
        about = json.loads((folder / ABOUT_FILE).read_text())
        served, prepared = ({name: _mapped(folder / name) for name in about[part]} for part in ("served", "prepared"))
        return cls(about["publish_id"], date.fromisoformat(about["business_date"]), served, prepared)

    def has(self, resource: Resource, customer_key: str) -> bool:
        """Whether the resource has a row of the customer."""
        return customer_key in self._rows[resource.name]

    def places_of(self, resource: Resource, customers: Collection[str]) -> np.ndarray:
        """Places of the rows of some customers, in order."""
        return self._rows[resource.name].places_of(customers)

    def find(self, resource: Resource, fixed: Mapping[str, Any]) -> Sequence[int]:
        """Places of the rows with the values, in order."""
        return self._rows[resource.name].find(fixed, None, None)

    def rows(
        self,
        resource: Resource,
        fixed: Mapping[str, Any],
        fields: Sequence[str],
        after: Sequence[Any] | None = None,
        limit: int | None = None,
        among: np.ndarray | None = None,
    ) -> list[dict[str, object]]:
        """Rows in the order of the key; see `Rows.find`."""
        rows = self._rows[resource.name]
        return rows.read(rows.find(fixed, after, limit, among), fields)


def _column(field: pa.Field) -> Column:
    about = field.metadata or {}
    level = about.get(LEVEL, IMPORTANT.encode()).decode()
    return Column(field.name, field.type, about.get(ABOUT, b"").decode(), level)


def read_store(
    settings: Settings, statements: Statements | None = None
) -> tuple[int, date, dict[str, pa.Table], dict[str, pa.Table]]:
    """Publish id, business date, the table of every resource, and the rows of the statements; all of one publish.

    A resource is in the order of its key, with comments and levels.
    """
    with warehouse.shown(settings) as shown:
        comments = {(table, column): comment or "" for table, column, comment in shown.comments}
        levels = {
            f"{row['schema_name']}.{row['table_name']}.{row['column_name']}": row["security_level"]
            for row in shown.query(LEVELS_SQL, ()).to_pylist()
        }
        tables = {resource.name: in_order(resource, shown.rows(resource.table)) for resource in RESOURCES}
        for resource in RESOURCES:
            table = tables[resource.name]
            described = [
                field.with_metadata(
                    {
                        ABOUT: comments.get((resource.table, field.name), "").encode(),
                        LEVEL: levels.get(f"{resource.table}.{field.name}", IMPORTANT).encode(),
                    }
                )
                for field in table.schema
            ]
            tables[resource.name] = table.cast(pa.schema(described))
        return shown.publish_id, shown.business_date, tables, prepare(shown, statements)


def write_store(settings: Settings, folder: Path, statements: Statements | None = None) -> int:
    """Write the same for another process to map into memory; returns the publish id."""
    publish_id, business_date, served, prepared = read_store(settings, statements)
    for name, table in (served | prepared).items():
        with pa.OSFile(str(folder / name), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
    about = {"publish_id": publish_id, "business_date": str(business_date)}
    (folder / ABOUT_FILE).write_text(json.dumps(about | {"served": [*served], "prepared": [*prepared]}))
    return publish_id


def published_id(settings: Settings) -> int:
    """The last publish."""
    (row,) = warehouse.query_serving(settings, "select max(publish_id) as id from ops.publications").to_pylist()
    return row["id"]


def in_order(resource: Resource, rows: pa.RecordBatchReader | pa.Table) -> pa.Table:
    """The rows of a resource in the order of its key, each column in one piece."""
    table = rows.read_all() if isinstance(rows, pa.RecordBatchReader) else rows
    return pa.Table.from_batches(_batches(table.sort_by([(name, "ascending") for name in resource.key])))


def _mapped(path: Path) -> pa.Table:
    with pa.memory_map(str(path)) as mapped, pa.ipc.open_file(mapped) as file:
        return file.read_all()


def _batches(table: pa.Table) -> list[pa.RecordBatch]:
    """The rows as one batch: a cell is found without a search."""
    return table.combine_chunks().to_batches() or [pa.RecordBatch.from_pylist([], table.schema)]
