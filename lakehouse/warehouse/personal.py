"""What stands of one customer in every published table, and in what the steps keep in the lake, by their keys."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from lakehouse.catalog import PAGE_VIEWS
from lakehouse.contracts import load_feeds
from lakehouse.lake import Pin
from lakehouse.sql import identifier
from lakehouse.warehouse.exporting import OF_ITS_FILES
from lakehouse.warehouse.relations import lake_tables
from lakehouse.warehouse.stores import Shown

OF_PAIRS = ("left_party_key", "right_party_key")  # a pair of records is about both
# A row that has one of these is about whom it names there; whoever it names elsewhere is only mentioned in it.
WHOSE = ("customer_key", "party_key", "account_no_token", "node_key")


@dataclass(frozen=True)
class TableRows:
    """A customer's rows of one table or view that readers see, or of one relation of the lake."""

    table: str  # schema.table; of the lake lake.relation
    description: str | None
    columns: Mapping[str, str | None]  # column -> description
    rows: tuple[Mapping[str, object], ...]
    mention_count: int  # rows about others that name the customer, for instance as payer


@dataclass(frozen=True)
class _Described:
    """A table as readers see it."""

    name: str
    description: str | None
    columns: Mapping[str, str | None]
    texts: tuple[str, ...]  # columns of text

    @property
    def whose(self) -> tuple[str, ...]:
        return tuple(name for name in WHOSE if name in self.texts)


def rows_about(shown: Shown, parties: Collection[str]) -> Iterator[TableRows]:
    """The rows of every table and view that one publish shows of a customer, tables without any left out.

    A table without a column that says whose a row is, such as that of payments between two customers, gives every row
    that names the customer in any text.

    Parameters
    ----------
    parties : collection of str
        The keys of the customer's records: every customer key that they ever had is one of them.
    """
    accounts = _texts_of(shown, "select account_no_token from marts.dim_account where {}", parties)
    keys = tuple(sorted({*parties, *accounts}))
    for table in _tables(shown):
        if not table.texts:
            continue
        rows, mentions = _owned(shown, table, keys) if table.whose else (_naming(shown, table, keys), 0)
        if rows or mentions:
            yield TableRows(table.name, table.description, table.columns, tuple(rows), mentions)


def kept_about(root: Path, pin: Pin, xref: Path, parties: Collection[str]) -> Iterator[TableRows]:
    """The rows of a customer in what the steps of runs have written to the lake, such as scores and pairs of records.

    Deliveries are left out (`lakehouse.warehouse.provenance`), and the journal of page views.
    """
    feeds, values = set(load_feeds()), sorted(parties)
    for table in lake_tables(root, pin, xref):
        columns = [column.name for column in table.relation.columns if column.name in (*WHOSE, *OF_PAIRS)]
        if table.relation.name in feeds or table.relation == PAGE_VIEWS or not (columns and table.files):
            continue
        condition = " or ".join(f"{identifier(name)} in (select unnest($keys))" for name in columns)
        with duckdb.connect() as con:
            found = con.sql(
                "select * from read_parquet($paths, union_by_name = true, hive_partitioning = false) "
                f"where {condition}",
                params={"paths": [str(file.path) for file in table.files], "keys": values},
            )
            rows = found.to_arrow_table().to_pylist()
        if rows:
            meanings: dict[str, str | None] = {column.name: column.description for column in table.relation.columns}
            yield TableRows(f"lake.{table.relation.name}", table.relation.description, meanings, tuple(rows), 0)


def _texts_of(shown: Shown, statement: str, keys: Collection[str]) -> list[str]:
    condition, values = _is_one_of("customer_key", keys)
    return shown.query(statement.format(condition), values)[0].to_pylist()


def _is_one_of(column: str, keys: Collection[str]) -> tuple[str, list[str]]:
    """SQL that is true where a column has one of the keys, and its parameters."""
    values = sorted(keys)
    return f"{identifier(column)} in ({', '.join(f'${place}' for place in range(1, len(values) + 1))})", values


def _tables(shown: Shown) -> Iterator[_Described]:
    described = {name: text for name, column, text in shown.comments if column is None and name not in OF_ITS_FILES}
    columns: dict[str, dict[str, str | None]] = {name: {} for name in described}
    for name, column, text in shown.comments:
        if column is not None and name in columns:
            columns[name][column] = text
    for name in sorted(described):
        schema = shown.query(f"select * from {name} limit 0", []).schema
        texts = tuple(field.name for field in schema if pa.types.is_string(field.type) or _is_large(field.type))
        yield _Described(name, described[name], columns[name], texts)


def _is_large(type_: pa.DataType) -> bool:
    return pa.types.is_large_string(type_) or pa.types.is_string_view(type_)


def _owned(shown: Shown, table: _Described, keys: Collection[str]) -> tuple[list[dict[str, object]], int]:
    """The rows that are about the customer, and how many others name them."""
    owned, values = _any(table.whose, keys)
    named, _ = _any([name for name in table.texts if name not in table.whose], keys)
    rows = shown.query(f"select * from {table.name} where {owned}", values).to_pylist()
    mentions = shown.query(f"select count(*) from {table.name} where {named} and not ({owned})", values)
    return rows, mentions[0][0].as_py()


def _any(columns: Iterable[str], keys: Collection[str]) -> tuple[str, list[str]]:
    """SQL that is true, never null, where any of the columns has one of the keys."""
    parts, values = [], sorted(keys)
    for column in columns:
        condition, values = _is_one_of(column, keys)
        parts.append(f"coalesce({condition}, false)")
    return f"({' or '.join(parts) or 'false'})", values


def _naming(shown: Shown, table: _Described, keys: Collection[str]) -> list[dict[str, object]]:
    """The rows with one of the keys anywhere in a text, as a whole word."""
    values = sorted(keys)
    places = range(1, len(values) + 1)
    parts = [f"position(${place} in {identifier(column)}) > 0" for column in table.texts for place in places]
    found = shown.query(f"select * from {table.name} where {' or '.join(parts)}", values).to_pylist()
    word = re.compile("|".join(rf"(?<![0-9A-Za-z]){re.escape(key)}(?![0-9A-Za-z])" for key in values))
    return [row for row in found if any(word.search(row[column] or "") for column in table.texts)]
