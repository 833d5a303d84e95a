"""Conditions in words of the reader's language, and as a person fills them into a form."""

import re
from collections.abc import Sequence
from functools import cache
from typing import TypedDict

from lakehouse.language import Language, Voice, words
from lakehouse.tags import Condition
from lakehouse.tags.columns import FIRST, Kind, Offered, offered, tables

OPERATORS = {  # as conditions have them -> how words for them are called
    ">=": "at_least", "<=": "at_most", "=": "equal", "!=": "not_equal", ">": "above", "<": "below",
    "between": "between", "in": "in", "not in": "not_in", "in last days": "in_last_days",
    "not in last days": "not_in_last_days", "is empty": "is_empty", "is not empty": "is_not_empty",
}  # fmt: skip
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


def label(column: str, say: Voice) -> str:
    """What a column is called.

    >>> label("star_tier", Voice("zh")), label("app_count_30d", Voice()), label("churn_probability", Voice())
    ('星级', 'Contacts by app, 30 days', 'Leaves: probability')
    """
    if column in words("columns"):
        of_language = column[-2:] if column.endswith(("_en", "_zh")) else None
        return say.column(column) + (f" ({say(f'language_{of_language}')})" if of_language else "")
    if found := _CONTACTS.fullmatch(column):
        return say("contacts_by_channel", channel=say.code(found["channel"]), days=found["days"])
    if (found := _SCORE.fullmatch(column)) and f"score_{found['score']}" in words("texts"):
        return _about(say(f"score_{found['score']}"), say(f"measure_{found['measure']}"), say)
    return column.replace("_", " ")


def name_of(table: str, column: str) -> str:
    """How a form names a column."""
    return f"{table}.{column}"


@cache
def choices(language: Language) -> Sequence[tuple[str, Sequence[tuple[str, str]]]]:
    """The columns that a form offers, by table: what the form sends, and what the reader sees, by the latter."""
    found: dict[str, list[tuple[str, str]]] = {table: [] for table in tables()}
    for table, column in offered():
        found[table].append((name_of(table, column), label(column, Voice(language))))
    return [
        (table_title(table, Voice(language)), sorted(columns, key=lambda one: one[1].casefold()))
        for table, columns in found.items()
    ]


def catalogue(language: Language) -> Sequence[tuple[str, Sequence[tuple[str, Offered]]]]:
    """Every column with its name in words, its type and its published description, by table."""
    return [
        (title, [(said, offered()[_parts(name)]) for name, said in columns]) for title, columns in choices(language)
    ]


def table_title(table: str, say: Voice) -> str:
    """What a table is about."""
    return say(f"table_{table}") if f"table_{table}" in words("texts") else table.replace("_", " ")


def operator_words(operator: str, say: Voice) -> str:
    """An operator, with dots for its values where words follow them.

    >>> operator_words(">=", Voice()), operator_words("in last days", Voice())
    ('is at least', 'lies in the last … days')
    """
    return say(f"compare_{OPERATORS[operator]}", values="…").removesuffix(" …")


def sentence(condition: Condition, say: Voice) -> str:
    """A condition as people say it.

    >>> say = Voice("zh")
    >>> sentence(Condition(column="star_tier", operator=">=", values=("4",)), say)
    '星级 不低于 4'
    >>> sentence(Condition(column="opened_date", operator="in last days", values=("30",)), Voice())
    'Customer since lies in the last 30 days'
    """
    kind = offered()[condition.table, condition.column].kind if _is_offered(condition) else "text"
    values = [value_words(value, kind, say) for value in condition.values]
    between = " and " if say.language == "en" else " 和 "
    listed = between.join(values) if condition.operator == "between" else say.listed(values)
    about = label(condition.column, say)
    if condition.table != FIRST:
        about = _about(table_title(condition.table, say), about, say)
    return f"{about} {say(f'compare_{OPERATORS[condition.operator]}', values=listed)}"


def value_words(value: str, kind: Kind, say: Voice) -> str:
    """A value in words; numbers with their thousands.

    >>> value_words("50000", "number", Voice()), value_words("won_back", "text", Voice("zh"))
    ('50,000', '赢回')
    """
    if kind == "number" and value.isascii() and value.isdigit():
        return f"{int(value):,}"
    if kind in ("text", "boolean"):
        if f"value_{value}" in words("texts"):
            return say(f"value_{value}")
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


def _about(subject: str, what: str, say: Voice) -> str:
    return f"{subject}{': ' if say.language == 'en' else '：'}{what}"
