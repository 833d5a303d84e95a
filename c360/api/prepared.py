"""What pages show of a publish: asked once for everybody, before anybody sees the publish, and kept as Arrow columns.

Asked for one customer at a time, each of a page's questions opens a file for every month of history. Prepared, its rows
are a slice of a table in memory.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping
from datetime import date
from functools import partial
from operator import methodcaller
from pkgutil import resolve_name

import pyarrow as pa
import pyarrow.compute as pc

from c360.reports import WHOSE, Row
from lakehouse.warehouse.stores import Shown

Statements = Callable[[date], Mapping[str, str]]  # business date that is shown -> SQL by its name, in the page's order


class Prepared:
    """The rows of every statement, by its name; a statement with the column ``whose`` gives them by owner."""

    def __init__(self, tables: Mapping[str, pa.Table]) -> None:
        self._rows = {name: table.drop_columns(WHOSE) if _is_owned(table) else table for name, table in tables.items()}
        self._owners = {name: table.column(WHOSE) for name, table in tables.items() if _is_owned(table)}

    def rows(self, name: str) -> list[Row]:
        """All rows of a statement, as it orders them."""
        return self._rows[name].to_pylist()

    def of(self, name: str, whose: str) -> list[Row]:
        """The rows of one customer, or whatever the statement names, as it orders them."""
        owners = self._owners[name]
        search = partial(_search, owners, whose)
        first = search(bisect_left)
        return self._rows[name].slice(first, search(bisect_right) - first).to_pylist()


def prepare(shown: Shown, statements: Statements | None) -> dict[str, pa.Table]:
    """Ask a publish for all rows of the statements."""
    if statements is None:
        return {}
    return {name: _by_owner(shown.query(sql, ())) for name, sql in statements(shown.business_date).items()}


def name_of(statements: Statements | None) -> str:
    """How another process finds the function: see `statements_of`."""
    return f"{statements.__module__}:{statements.__qualname__}" if statements else ""


def statements_of(name: str) -> Statements | None:
    """The function of that name."""
    return resolve_name(name) if name else None


def _search(owners: pa.ChunkedArray, whose: str, bisect: Callable[..., int]) -> int:
    return bisect(owners, whose, key=methodcaller("as_py"))


def _is_owned(table: pa.Table) -> bool:
    return WHOSE in table.column_names


def _by_owner(table: pa.Table) -> pa.Table:
    """Each owner's rows together, in their order; nobody asks for those of nobody."""
    if _is_owned(table):
        table = table.filter(pc.is_valid(table.column(WHOSE))).sort_by(WHOSE)  # stable, by bytes as Python compares
    return table.combine_chunks()
