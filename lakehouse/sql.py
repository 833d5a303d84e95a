"""Names and values of contracts and paths, quoted for SQL that allows no parameters; answers of one row."""

from datetime import date
from typing import Any, Protocol


def identifier(name: str) -> str:
    """An SQL identifier.

    >>> print(identifier('a "b" c'))
    "a ""b"" c"
    """
    return '"' + name.replace('"', '""') + '"'


def literal(value: str | date) -> str:
    """An SQL string or date.

    >>> print(literal("O'Neil"), literal(date(2026, 3, 1)))
    'O''Neil' date '2026-03-01'
    """
    return f"date '{value.isoformat()}'" if isinstance(value, date) else "'" + value.replace("'", "''") + "'"


class Answer(Protocol):
    """What DuckDB and Postgres answer a query with."""

    def fetchone(self) -> tuple[Any, ...] | None:
        """The next row, or None at the end."""


def only_row(answer: Answer) -> tuple[Any, ...]:
    """The row of a query that has one in any case, such as a count."""
    row = answer.fetchone()
    assert row is not None, "the query has no row"
    return row
