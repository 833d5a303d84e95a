"""Names and texts of contracts and paths, quoted for SQL; answers of one row."""

from typing import Any, Protocol


def identifier(name: str) -> str:
    """A name as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text as a SQL literal."""
    return "'" + text.replace("'", "''") + "'"


class Answer(Protocol):
    """What DuckDB and Postgres answer a query with."""

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows."""


def only_row(answer: Answer) -> tuple[Any, ...]:
    """The row of a query that always has exactly one, such as a count."""
    # All rows are fetched: DuckDB refuses other work on a connection whose result is not read to its end.
    (row,) = answer.fetchall()
    return row
