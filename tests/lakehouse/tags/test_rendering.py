"""Conditions choose on both engines whom the same question in Python chooses; what does not fit is refused by name."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from typing import Any

import duckdb
import psycopg
import pytest

from lakehouse.errors import Stop
from lakehouse.tags import condition_of, variables
from lakehouse.tags.columns import find, offered
from lakehouse.tags.rendering import condition_sql
from ml_jobs.task_file import load_tasks

TODAY = date(2026, 1, 31)
COLUMNS = {
    "customer_key": "varchar",
    "star_tier": "integer",
    "aum_amount": "decimal(38,2)",
    "churn_probability": "double precision",
    "occupation": "varchar",
    "is_marketing_opt_out": "boolean",
    "last_activity_date": "date",
}
ROWS: list[tuple[Any, ...]] = [
    ("a", 1, Decimal("-10.50"), 0.1, "O'Neil", False, date(2026, 1, 31)),
    ("b", 4, Decimal("50000.00"), 0.35, "IT", True, date(2026, 1, 2)),
    ("c", 5, Decimal("50000.01"), 0.351, "x' or 'a' = 'a", False, date(2026, 1, 1)),
    ("d", 7, Decimal("1e12"), 0.99, "a, b", None, date(2026, 2, 1)),
    ("e", None, None, None, None, None, None),
]
Row = dict[str, Any]
CASES: dict[str, Callable[[Row], bool]] = {
    "star_tier >= 5": lambda row: row["star_tier"] >= 5,
    "star_tier != 4": lambda row: row["star_tier"] != 4,
    "star_tier in 1,7": lambda row: row["star_tier"] in (1, 7),
    "star_tier not in 1, 7": lambda row: row["star_tier"] not in (1, 7),
    "star_tier is empty": lambda row: row["star_tier"] is None,
    "star_tier is not empty": lambda row: row["star_tier"] is not None,
    "aum_amount > 50000": lambda row: row["aum_amount"] > 50000,
    "aum_amount between -10.5 and 5e4": lambda row: Decimal("-10.5") <= row["aum_amount"] <= 50000,
    "churn_probability <= 0.35": lambda row: row["churn_probability"] <= 0.35,
    "occupation = O'Neil": lambda row: row["occupation"] == "O'Neil",
    "occupation = a, b": lambda row: row["occupation"] == "a, b",
    "occupation in x' or 'a' = 'a": lambda row: row["occupation"] == "x' or 'a' = 'a",
    "is_marketing_opt_out = false": lambda row: row["is_marketing_opt_out"] is False,
    "last_activity_date in last days 30": lambda row: date(2026, 1, 2) <= row["last_activity_date"] <= TODAY,
    "last_activity_date not in last days 30": lambda row: row["last_activity_date"] <= date(2026, 1, 1),
    "last_activity_date < 2026-01-02": lambda row: row["last_activity_date"] < date(2026, 1, 2),
}


@contextmanager
def duckdb_rows() -> Iterator[Callable[[str], set[str]]]:
    with duckdb.connect() as connection:
        _fill(connection, "?")
        yield lambda sql: {key for (key,) in connection.execute(sql).fetchall()}


@contextmanager
def postgres_rows(dsn: str) -> Iterator[Callable[[str], set[str]]]:
    with psycopg.connect(dsn) as connection:
        _fill(connection, "%s")
        yield lambda sql: {key for (key,) in connection.execute(sql.encode()).fetchall()}


def _fill(connection: Any, mark: str) -> None:
    connection.execute(f"create table customer_360 ({', '.join(f'{name} {kind}' for name, kind in COLUMNS.items())})")
    for row in ROWS:
        connection.execute(f"insert into customer_360 values ({', '.join([mark] * len(COLUMNS))})", row)


def chosen(question: Callable[[Row], bool], is_of_empty: bool) -> set[str]:
    """Keys of the rows that answer yes; an empty cell meets no condition but one that asks for it."""
    keys = set()
    for values in ROWS:
        row = dict(zip(COLUMNS, values, strict=True))
        try:
            keys |= {row["customer_key"]} if question(row) and (is_of_empty or row["star_tier"]) else set()
        except TypeError:
            continue
    return keys


@pytest.mark.parametrize("dialect", ["duckdb", "postgres"])
def test_conditions_choose_whom_python_chooses(dialect: str, request: pytest.FixtureRequest) -> None:
    rows = duckdb_rows() if dialect == "duckdb" else postgres_rows(request.getfixturevalue("postgres_dsn"))
    with rows as keys:
        for text, question in CASES.items():
            sql = condition_sql([condition_of(text)], "all", TODAY, dialect)
            found = keys(f"select customer_key from customer_360 where {sql}")
            assert found == chosen(question, is_of_empty="empty" in text), text
        two = [condition_of("star_tier >= 5"), condition_of("last_activity_date in last days 30")]
        for matching, expected in (("all", set()), ("any", {"a", "b", "c", "d"})):
            sql = condition_sql(two, matching, TODAY, dialect)
            assert keys(f"select customer_key from customer_360 where {sql}") == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("star_teir >= 5", ["marts.customer_360 has no column star_teir", "star_tier"]),
        ("gender = F", ["customer_360.gender", "compared by"]),
        ("phone = 13800138000", ["customer_360.phone is personal data"]),
        ("dim_customer.occupation = IT", ["dim_customer", "use one of customer_360"]),
        ("star_tier >= many", ["many is no number", "0.35"]),
        ("star_tier >= nan", ["nan is no number"]),
        ("opened_date > 31.12.2025", ["31.12.2025 is no date", "2026-03-31"]),
        ("occupation > a", ["occupation is a text", "use one of =, !=, in"]),
        ("is_marketing_opt_out = maybe", ["write true or false"]),
        ("star_tier between 1", ["takes two values"]),
        ("star_tier is empty 1", ["takes no value"]),
        ("opened_date in last days -5", ["no number of days"]),
        ("customer_key = a", ["has no column customer_key"]),
        ("1 = 1", ["is no condition", "star_tier >= 5"]),
        ("star_tier >= 5; drop table x", ["is no number"]),
    ],
)
def test_what_does_not_fit_is_refused_by_name_and_with_a_remedy(text: str, words: list[str]) -> None:
    with pytest.raises(Stop) as stop:
        condition_sql([condition_of(text)], "all", TODAY, "duckdb")
    for word in words:
        assert word in str(stop.value)


def test_nobody_is_chosen_by_what_models_are_compared_by() -> None:
    compared = {name for task in load_tasks().values() for name in task.fairness or ()}
    columns = {"birth_year" if name == "age_years" else name for name in compared}
    assert columns >= {"gender", "birth_year", "city"}
    names = {name for _, name in offered()}
    assert not columns & names
    assert len(names) > 100
    assert find("contact_policy", "is_allowed").kind == "boolean"


def test_a_tag_that_fits_no_more_says_so_and_leaves_the_others_alone() -> None:
    fits = '[{"column": "star_tier", "operator": ">=", "values": ["5"]}]'
    rows = [
        {"tag": "gone", "matching": "all", "conditions": fits.replace("star_tier", "old_column")},
        {"tag": "broken", "matching": "all", "conditions": "select 1"},
        {"tag": "sound", "matching": "all", "conditions": fits},
    ]
    gone, broken, sound = variables(rows, TODAY, "duckdb")
    assert gone["condition"] is None and "has no column old_column" in str(gone["problem"])
    assert broken["condition"] is None and "docs/TAGS.md" in str(broken["problem"])
    assert sound["condition"] and sound["problem"] is None
