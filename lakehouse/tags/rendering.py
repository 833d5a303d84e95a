"""Conditions as SQL of any engine: columns that were found, operators that fit their type, values as typed literals.

The SQL is built as a tree and written by sqlglot, so a value can be nothing but a value.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from typing import TypedDict

from sqlglot import exp

from lakehouse.errors import Stop
from lakehouse.tags import columns
from lakehouse.tags.columns import FIRST, KEY, Kind, Offered
from lakehouse.tags.definition import NONE, ONE, OPERATORS, SOME, TWO, VALUES, Condition, conditions_of
from lakehouse.tags.misfit import Misfit

_COMPARED: dict[str, type[exp.Expression]] = {
    "=": exp.EQ, "!=": exp.NEQ, "<": exp.LT, "<=": exp.LTE, ">": exp.GT, ">=": exp.GTE,
}  # fmt: skip
_COUNTS = {NONE: "no value", ONE: "one value", TWO: "two values", SOME: "one value or more"}
_LONGEST_DAYS = 36_500


class Rendered(TypedDict):
    """What dbt gets of an active tag: its condition in SQL, or the problem that it has, in words."""

    tag: str
    tables: list[str]
    condition: str | None
    problem: str | None


def condition_sql(conditions: Sequence[Condition], matching: str, today: date, dialect: str) -> str:
    """SQL of the customers whom the conditions choose; each table stands under its own name.

    Parameters
    ----------
    matching
        ``all`` or ``any`` of the conditions must hold.
    today
        Business date, from which days are counted.
    dialect
        ``duckdb`` or ``postgres``, as sqlglot names it.

    Raises
    ------
    Misfit
        If a column is none that is offered, or operator or values do not fit its type.
    """
    parts = [_one(condition, today) for condition in conditions]
    return (exp.and_ if matching == "all" else exp.or_)(*parts).sql(dialect=dialect)


def tables_of(conditions: Iterable[Condition]) -> list[str]:
    """The tables that are joined to the first one."""
    return sorted({condition.table for condition in conditions} - {FIRST})


def from_sql(joined: Iterable[str]) -> str:
    """SQL of the published tables, each under its own name, a row per customer."""
    names = columns.tables()
    joins = [f" left join {names[table]} as {table} on {FIRST}.{KEY} = {table}.{KEY}" for table in joined]
    return f"from {names[FIRST]} as {FIRST}" + "".join(joins)


def variables(rows: Iterable[Mapping[str, str]], today: date, dialect: str) -> list[Rendered]:
    """dbt's variable ``tag_conditions``: a tag whose conditions do not fit stops no day, and says what is wrong.

    Parameters
    ----------
    rows
        tag, matching and conditions (JSON) of every active tag.
    """
    return [_rendered(row, today, dialect) for row in rows]


def _rendered(row: Mapping[str, str], today: date, dialect: str) -> Rendered:
    found: Rendered = {"tag": row["tag"], "tables": [], "condition": None, "problem": None}
    try:
        conditions = conditions_of(row["conditions"])
        found["condition"] = condition_sql(conditions, row["matching"], today, dialect)
        found["tables"] = tables_of(conditions)
    except Stop as misfit:
        found["problem"] = str(misfit)
    return found


def _one(condition: Condition, today: date) -> exp.Expression:
    column = columns.find(condition.table, condition.column)
    if condition.operator not in OPERATORS[column.kind]:
        raise Misfit(
            f"{condition}: {column.name} is a {column.kind}, to which {condition.operator} does not apply",
            f"use one of {', '.join(OPERATORS[column.kind])}",
            "operator",
            "operator",
            column.kind,
        )
    needed = VALUES[condition.operator]
    if not (bool(condition.values) if needed == SOME else len(condition.values) == needed):
        words = f"{condition}: {condition.operator} takes {_COUNTS[needed]}"
        raise Misfit(words, "correct the values", "values", "count", str(needed))
    name = exp.column(column.name, table=column.table, quoted=True)
    if condition.operator in ("in last days", "not in last days"):
        return _last_days(name, condition, today)
    return _compared(name, condition.operator, [_value(condition, column, value) for value in condition.values])


def _compared(name: exp.Column, operator: str, values: Sequence[exp.Expression]) -> exp.Expression:
    if operator in ("is empty", "is not empty"):
        empty = exp.Is(this=name, expression=exp.Null())
        return empty if operator == "is empty" else exp.Not(this=empty)
    if operator == "between":
        return exp.Between(this=name, low=values[0], high=values[1])
    if operator in ("in", "not in"):
        among = exp.In(this=name, expressions=list(values))
        return among if operator == "in" else exp.Not(this=among)
    return _COMPARED[operator](this=name, expression=values[0])


def _last_days(name: exp.Column, condition: Condition, today: date) -> exp.Expression:
    (value,) = condition.values
    if not value.isascii() or not value.isdigit() or not 1 <= int(value) <= _LONGEST_DAYS:
        days = f"give a whole number from 1 to {_LONGEST_DAYS}"
        raise Misfit(f"{condition}: {value} is no number of days", days, "values", "days", value)
    before = _date(today - timedelta(days=int(value)))
    if condition.operator == "not in last days":
        return exp.LTE(this=name, expression=before)
    since = exp.GT(this=name, expression=before)
    return exp.And(this=since, expression=exp.LTE(this=name.copy(), expression=_date(today)))


def _value(condition: Condition, column: Offered, value: str) -> exp.Expression:
    try:
        return _LITERALS[column.kind](value)
    except (ValueError, InvalidOperation, KeyError):
        words = f"{condition}: {value} is no {column.kind}"
        raise Misfit(words, _REMEDIES[column.kind], "values", column.kind, value) from None


def _number(value: str) -> exp.Expression:
    number = Decimal(value)
    if not number.is_finite() or abs(number.adjusted()) > 30:
        raise ValueError(value)
    digits = exp.Literal.number(f"{abs(number):f}")
    return exp.Neg(this=digits) if number < 0 else digits


def _date(day: date) -> exp.Expression:
    return exp.cast(exp.Literal.string(day.isoformat()), "date")


_LITERALS = {
    "number": _number,
    "date": lambda value: _date(date.fromisoformat(value)),
    "text": exp.Literal.string,
    "boolean": lambda value: exp.Boolean(this={"true": True, "false": False}[value.lower()]),
}
_REMEDIES: dict[Kind, str] = {
    "number": "write it with digits and a decimal point: 50000 or 0.35",
    "date": "write it as 2026-03-31",
    "text": "write it as the column has it",
    "boolean": "write true or false",
}
