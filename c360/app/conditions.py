"""Conditions in words of the reader's language, and as a person fills them into a form."""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TypedDict

import yaml

from lakehouse.language import LANGUAGES, Language, Voice
from lakehouse.tags import Condition
from lakehouse.tags.columns import FIRST, Kind, Offered, offered, tables

_NAMES = Path(__file__).with_name("columns.yml")
_CONTACTS = re.compile(r"(?P<channel>[a-z]+)_count_(?P<days>\d+)d")
_SCORE = re.compile(r"(?P<score>.+)_(?P<measure>probability|band|uplift)")
_ONE_VALUE = re.compile(r'"([^"]*)"|([^,，、;；]+)')
_YES_NO = {"是": "true", "yes": "true", "否": "false", "no": "false"}


class Parts(TypedDict):
    """A condition as a form has it, checked by nobody yet."""

    table: str
    column: str
    operator: str
    values: list[str]


def label(column: str, language: Language) -> str:
    """What a column is called.

    >>> label("star_tier", "zh"), label("app_count_30d", "en"), label("churn_probability", "en")
    ('星级', 'Contacts by app, 30 days', 'Leaves: probability')
    """
    if column in _names()["columns"]:
        return _of("columns", column, language)
    if (found := _CONTACTS.fullmatch(column)) and found["channel"] in _names()["channels"]:
        said = _names()["contacts"][LANGUAGES.index(language)]
        return said.format(channel=_of("channels", found["channel"], language), days=found["days"])
    if (found := _SCORE.fullmatch(column)) and found["score"] in _names()["scores"]:
        colon = ": " if language == "en" else "："
        return f"{_of('scores', found['score'], language)}{colon}{_of('measures', found['measure'], language)}"
    return Voice(language).column(column).replace("_", " ")


def name_of(table: str, column: str) -> str:
    """How a form names a column."""
    return f"{table}.{column}"


@cache
def choices(language: Language) -> Sequence[tuple[str, Sequence[tuple[str, str]]]]:
    """The columns that a form offers, by table: what the form sends, and what the reader sees, by the latter."""
    found: dict[str, list[tuple[str, str]]] = {table: [] for table in tables()}
    for table, column in offered():
        found[table].append((name_of(table, column), label(column, language)))
    return [
        (table_title(table, language), sorted(columns, key=lambda one: one[1].casefold()))
        for table, columns in found.items()
    ]


def catalogue(language: Language) -> Sequence[tuple[str, Sequence[tuple[str, Offered]]]]:
    """Every column with its name in words, its type and its published description, by table."""
    return [
        (title, [(said, offered()[_parts(name)]) for name, said in columns]) for title, columns in choices(language)
    ]


def table_title(table: str, language: Language) -> str:
    """What a table is about."""
    return _of("tables", table, language) if table in _names()["tables"] else table.replace("_", " ")


def operator_words(operator: str, language: Language) -> str:
    """An operator, with dots for its values where words follow them."""
    before, after = _names()["operators"][operator][LANGUAGES.index(language)]
    return f"{before} … {after}" if after else before


def sentence(condition: Condition, say: Voice) -> str:
    """A condition as people say it.

    >>> say = Voice("zh")
    >>> sentence(Condition(column="star_tier", operator=">=", values=("4",)), say)
    '星级 不低于 4'
    >>> sentence(Condition(column="opened_date", operator="in last days", values=("30",)), Voice())
    'Customer since lies in the last 30 days'
    """
    before, after = _names()["operators"][condition.operator][LANGUAGES.index(say.language)]
    kind = offered()[condition.table, condition.column].kind if _is_offered(condition) else "text"
    values = [value_words(value, kind, say) for value in condition.values]
    between = " and " if say.language == "en" else " 和 "
    listed = between.join(values) if condition.operator == "between" else say.listed(values)
    about = label(condition.column, say.language)
    if condition.table != FIRST:
        about = f"{table_title(condition.table, say.language)}{': ' if say.language == 'en' else '：'}{about}"
    return " ".join(filter(None, (about, before, listed, after)))


def value_words(value: str, kind: Kind, say: Voice) -> str:
    """A value in words; numbers with their thousands.

    >>> value_words("50000", "number", Voice()), value_words("won_back", "text", Voice("zh"))
    ('50,000', '赢回')
    """
    if kind == "number" and value.isascii() and value.isdigit():
        return f"{int(value):,}"
    if kind in ("text", "boolean"):
        if value in _names()["values"]:
            return _of("values", value, say.language)
        named = say.name(value)
        return named if named != value else say.code(value)
    return value


def condition_from(column: str, operator: str, text: str, kind: Kind | None) -> Parts:
    """The parts of a condition, as a form has them; several values have a comma between them, or are in quotes.

    >>> condition_from("customer_360.star_tier", "in", "5，6、 7", "number")["values"]
    ['5', '6', '7']
    >>> condition_from("customer_360.occupation", "in", '"a, b", c', "text")["values"]
    ['a, b', 'c']
    """
    table, name = _parts(column)
    several = operator in ("in", "not in", "between")
    values = [(one or other).strip() for one, other in _ONE_VALUE.findall(text)] if several else [text.strip()]
    values = [value for value in values if value]
    if kind == "boolean":
        values = [_YES_NO.get(value.lower(), value) for value in values]
    if kind == "number":
        values = [value.replace(",", "") if not several else value for value in values]
    return {"table": table, "column": name, "operator": operator, "values": values}


def values_text(condition: Condition) -> str:
    """The values as `condition_from` reads them."""
    if condition.operator not in ("in", "not in", "between"):
        return ", ".join(condition.values)
    return ", ".join(f'"{value}"' if re.search("[,，、;；]", value) else value for value in condition.values)


def _parts(name: str) -> tuple[str, str]:
    table, _, column = name.rpartition(".")
    return table or FIRST, column


def _is_offered(condition: Condition) -> bool:
    return (condition.table, condition.column) in offered()


def _of(section: str, name: str, language: Language) -> str:
    return _names()[section][name][LANGUAGES.index(language)]


@cache
def _names() -> Mapping[str, dict]:
    return yaml.safe_load(_NAMES.read_text("utf-8"))
