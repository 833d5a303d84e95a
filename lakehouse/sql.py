"""Names and values of contracts and paths, quoted for SQL that allows no parameters."""

from datetime import date


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
