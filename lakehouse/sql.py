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

    def fetchone(self) -> tuple[Any, ...] | None:
        """The next row, or None at the end."""


def only_row(answer: Answer) -> tuple[Any, ...]:
    """The row of a query that has one in any case, such as a count."""
    row = answer.fetchone()
    assert row is not None, "the query has no row"
    return row
