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

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows."""


def only_row(answer: Answer) -> tuple[Any, ...]:
    """The row of a query that always has exactly one, such as a count."""
    # All rows are fetched: DuckDB refuses other work on a connection whose result is not read to its end.
    (row,) = answer.fetchall()
    return row
