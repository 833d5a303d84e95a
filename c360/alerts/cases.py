"""The cases of a rule: the rows of a published table that meet its condition."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

import duckdb
from pydantic_core import to_json

from c360.alerts.rules import Rule
from lakehouse.contracts import load_feeds
from lakehouse.errors import Stop
from lakehouse.sql import identifier, literal
from lakehouse.warehouse.stores import Shown

Value = str | int | float | bool | Decimal | date | datetime | None


@dataclass(frozen=True)
class Case:
    """A row that somebody is to know of."""

    name: str  # the values of the key, with / between them
    state: str  # hash of what would make it news again
    values: Mapping[str, Value]


def cases_of(shown: Shown, rules: Iterable[Rule], local_date: date) -> dict[str, list[Case]]:
    """The cases of every rule as one publish shows them, in the order in which they are told; a table is read once.

    Parameters
    ----------
    local_date : date
        The day in the bank's time zone: `local_date()` in a condition; `published_date()` is the publish's.

    Raises
    ------
    Stop
        If a table is not published, lacks a column, a column is personal, or the key does not tell cases apart.
    """
    published = {name for name, _, _ in shown.comments}
    of_tables: dict[str, list[Rule]] = {}
    for rule in rules:
        if rule.table not in published:
            raise Stop(f"rule {rule.name}: {rule.table} is not published", "correct `table` in alerts.yml")
        of_tables.setdefault(rule.table, []).append(rule)
    found: dict[str, list[Case]] = {}
    for table, asking in of_tables.items():
        with duckdb.connect(config={"threads": 1, "enable_external_access": False}) as connection:
            connection.register("read", shown.rows(table))
            # what is read is gone: rules that share a table ask a copy
            kind = "table" if len(asking) > 1 else "view"
            connection.execute(f"create temp {kind} given as select * from read")
            for name, day in (("local_date", local_date), ("published_date", shown.business_date)):
                connection.execute(f"create macro {name}() as date {literal(str(day))}")
            columns = {column for column, *_ in connection.execute("describe given").fetchall()}
            found |= {rule.name: _cases(connection, rule, columns) for rule in asking}
    return found


def _cases(connection: duckdb.DuckDBPyConnection, rule: Rule, columns: set[str]) -> list[Case]:
    """The cases of a rule, from its table as `given`."""
    wanted = list(dict.fromkeys(rule.columns()))
    _check_columns(rule, wanted, columns)
    try:
        result = connection.execute(
            f"select {', '.join(map(identifier, wanted))} from given where ({rule.condition}) {_order(rule)}"
        )
        rows = result.fetchall()
    except duckdb.Error as error:
        raise Stop(f"rule {rule.name}: its condition cannot be read: {error}", "correct it in alerts.yml") from None
    return _named(rule, [dict(zip(wanted, row, strict=True)) for row in rows])


def _order(rule: Rule) -> str:
    parts = [f"{identifier(rule.group)} nulls last"] if rule.group else []
    parts += [f"{identifier(rule.largest)} desc nulls last"] if rule.largest else []
    return f"order by {', '.join([*parts, *map(identifier, rule.key)])}"


def _check_columns(rule: Rule, wanted: Sequence[str], columns: set[str]) -> None:
    if missing := sorted(set(wanted) - columns):
        raise Stop(f"rule {rule.name}: {rule.table} has no column {', '.join(missing)}", "correct it in alerts.yml")
    personal = {column.name for feed in load_feeds().values() for column in feed.columns if column.is_pii}
    if found := sorted(set(wanted) & personal):
        raise Stop(f"rule {rule.name}: {', '.join(found)} is personal data, which does not leave", "take it out")


def _named(rule: Rule, rows: list[dict[str, Value]]) -> list[Case]:
    cases: dict[str, Case] = {}
    for row in rows:
        if any(row[column] is None for column in rule.key):
            raise Stop(f"rule {rule.name}: a row of {rule.table} has no value for its key", "name other columns")
        name = "/".join(str(row[column]) for column in rule.key)
        if name in cases:
            raise Stop(
                f"rule {rule.name}: several rows of {rule.table} have the same {', '.join(rule.key)}",
                "name all columns of the table's key",
            )
        watched = [row[column.format(language="en")] for column in rule.changes]
        cases[name] = Case(name, hashlib.sha256(to_json([name, *watched])).hexdigest()[:16], row)
    return list(cases.values())
