"""A definition: conditions on published columns, and what people must know of the tag."""

import re
from collections.abc import Sequence
from datetime import date
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from lakehouse.errors import Stop
from lakehouse.tags.columns import FIRST, Kind
from lakehouse.tags.misfit import Misfit, Part, Reason

Operator = Literal[
    "not in", "in last days", "not in last days", "is not empty", "is empty", "between", "in",
    "!=", "<=", ">=", "=", "<", ">",
]  # fmt: skip
NONE, ONE, TWO, SOME = range(4)
VALUES: dict[str, int] = {
    **dict.fromkeys(("is empty", "is not empty"), NONE),
    **dict.fromkeys(("=", "!=", "<", "<=", ">", ">=", "in last days", "not in last days"), ONE),
    "between": TWO,
    **dict.fromkeys(("in", "not in"), SOME),
}
_EMPTY, _EQUAL, _LIST = ("is empty", "is not empty"), ("=", "!="), ("in", "not in")
_ORDER = ("<", "<=", ">", ">=", "between")
OPERATORS: dict[Kind, tuple[str, ...]] = {
    "number": (*_EQUAL, *_ORDER, *_LIST, *_EMPTY),
    "date": (*_EQUAL, *_ORDER, "in last days", "not in last days", *_EMPTY),
    "text": (*_EQUAL, *_LIST, *_EMPTY),
    "boolean": ("=", *_EMPTY),
}
_WRITTEN = re.compile(
    r"\s*(?:(?P<table>[a-z][a-z0-9_]*)\.)?(?P<column>[a-z][a-z0-9_]*)\s*"
    r"(?P<operator>not in last days|in last days|not in|is not empty|is empty|between|in|!=|<=|>=|=|<|>)"
    r"(?P<values>(?<=[=<>]).*|(?:\s.*)?)"
)
_SEPARATOR = re.compile(r"\s*,\s*|\s+and\s+")
_PARTS: tuple[Part, ...] = get_args(Part)
_REASONS: dict[str, Reason] = {
    "too_short": "missing", "string_too_short": "missing", "string_too_long": "too_long", "too_long": "too_long",
    "string_pattern_mismatch": "invalid",
}  # fmt: skip
Text = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Condition(_Part):
    """One condition. Values are text, read as the column's type asks; an empty column meets only ``is empty``."""

    table: str = FIRST
    column: str
    operator: Operator
    values: tuple[Text, ...] = Field((), max_length=500)

    @classmethod
    def of(cls, **parts: object) -> "Condition":
        """The condition; raises `Misfit` naming the part that is not valid."""
        try:
            return cls.model_validate(parts)
        except ValidationError as error:
            raise _stop(error) from None

    def __str__(self) -> str:
        """As a person writes it, and `condition_of` reads it."""
        name = self.column if self.table == FIRST else f"{self.table}.{self.column}"
        return f"{name} {self.operator} {', '.join(self.values)}".rstrip()


class Definition(_Part):
    """What a tag is."""

    tag: str = Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")
    description: Text
    owner: Text
    matching: Literal["all", "any"] = "all"
    conditions: tuple[Condition, ...] = Field(min_length=1, max_length=50)
    expires_date: date

    @classmethod
    def of(cls, **parts: object) -> "Definition":
        """The definition; raises `Misfit` naming the part that is not valid."""
        try:
            return cls.model_validate(parts)
        except ValidationError as error:
            raise _stop(error) from None


CONDITIONS = TypeAdapter(Annotated[tuple[Condition, ...], Field(min_length=1)])


def condition_of(text: str) -> Condition:
    """A condition as a person writes it.

    >>> condition_of("star_tier >= 5")
    Condition(table='customer_360', column='star_tier', operator='>=', values=('5',))
    >>> print(condition_of("contact_policy.owner in rm,branch"))
    contact_policy.owner in rm, branch

    Raises
    ------
    Stop
        If it is none.
    """
    found = _WRITTEN.fullmatch(text)
    if not found:
        raise Stop(f"{text!r} is no condition", 'write column, operator and value: "star_tier >= 5"')
    values = found["values"].strip()
    count = VALUES[found["operator"]]
    split = [values] if count == ONE else _SEPARATOR.split(values)
    parts = {"column": found["column"], "operator": found["operator"], "values": split if values else []}
    return Condition.of(**parts, **({"table": found["table"]} if found["table"] else {}))


def conditions_of(json: str) -> Sequence[Condition]:
    """Conditions as a delivery has them; raises `Stop` if they are none."""
    try:
        return CONDITIONS.validate_json(json)
    except ValidationError as error:
        raise _stop(error) from None


def condition_words(json: str) -> list[str]:
    """Conditions of a delivery as people write them; as they stand if they are none.

    >>> condition_words('[{"column": "star_tier", "operator": ">=", "values": ["5"]}]')
    ['star_tier >= 5']
    """
    try:
        return [str(condition) for condition in conditions_of(json)]
    except Stop:
        return [json]


def _stop(error: ValidationError) -> Misfit:
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"]))
    named: Part = next((part for part in reversed(_PARTS) if part in first["loc"]), "conditions")
    reason = "name" if named == "tag" else _REASONS.get(first["type"], "invalid")
    return Misfit(f"{place or 'conditions'}: {first['msg']}", "see docs/TAGS.md", named, reason)
