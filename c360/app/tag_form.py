"""The form by which a person makes or changes a tag: what was filled in, and what of it does not fit."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from hashlib import sha256

from c360.app.conditions import condition_from, name_of, value_words, values_text
from lakehouse.language import Language, Voice
from lakehouse.tags import Condition, Definition, Misfit
from lakehouse.tags.columns import Offered, offered
from lakehouse.tags.definition import CONDITIONS
from lakehouse.tags.rendering import condition_sql

FEWEST, MORE, MOST = 3, 2, 20  # lines of the form: at first, by the button, and at most
FIELDS = ("tag", "description", "owner", "expires_date")
Occurring = Callable[[Offered], Sequence[str] | None]  # values of a column of few; None of many


@dataclass(frozen=True)
class Line:
    """A condition as it was filled in."""

    column: str = ""
    operator: str = "="
    values: str = ""
    problems: Mapping[str, str] = field(default_factory=dict)  # column, operator or values -> sentence
    hint: Sequence[str] = ()  # values that occur
    warning: str = ""  # about a condition that fits, and may not be what was meant

    @property
    def is_empty(self) -> bool:
        return not self.column and not self.values


@dataclass(frozen=True)
class Draft:
    """What is in the form."""

    tag: str = ""
    description: str = ""
    owner: str = ""
    matching: str = "all"
    expires_date: str = ""
    why: str = ""
    version: int = 0  # that is changed; 0: a new tag
    lines: Sequence[Line] = ()

    @classmethod
    def filled(cls, form: Mapping[str, str]) -> "Draft":
        """What somebody sent."""

        def given(name: str) -> str:
            return form.get(name, "").strip()

        numbers = (number for number in range(1, MOST + 1) if f"operator_{number}" in form)
        lines = [
            Line(
                column=given(f"column_{number}"), operator=given(f"operator_{number}"), values=given(f"values_{number}")
            )
            for number in numbers
        ]
        version = form.get("version", "")
        return cls(
            tag=given("tag"),
            description=given("description"),
            owner=given("owner"),
            matching="any" if form.get("matching") == "any" else "all",
            expires_date=given("expires_date"),
            why=" ".join(form.get("why", "").split())[:200],
            version=int(version) if version.isascii() and version.isdecimal() and len(version) < 9 else 0,
            lines=lines,
        )

    @classmethod
    def of(
        cls, tag: str, description: str, owner: str, matching: str, expires: date, conditions: str, version: int
    ) -> "Draft":
        """A version that is to be changed."""
        try:
            found: Iterable[Condition] = CONDITIONS.validate_json(conditions)
        except ValueError:
            found = ()  # another system has sent what are no conditions
        lines = [Line(name_of(one.table, one.column), one.operator, values_text(one)) for one in found]
        return cls(tag, description, owner, matching, str(expires), "", version, lines)

    def with_room(self, more: int = 0) -> "Draft":
        """The same with empty lines at its end."""
        count = min(MOST, max(FEWEST, len(self.lines) + more))
        return replace(self, lines=[*self.lines, *[Line()] * (count - len(self.lines))])


@dataclass(frozen=True)
class Judged:
    """A draft with what does not fit, in sentences, and its conditions if all of them fit."""

    draft: Draft
    conditions: tuple[Condition, ...] | None
    problems: Mapping[str, str] = field(default_factory=dict)  # field -> sentence

    @property
    def seal(self) -> str:
        """Of the conditions: a form that was previewed carries it, so that nobody saves what they have not seen."""
        text = f"{self.draft.matching} {CONDITIONS.dump_json(self.conditions or ())!r}"
        return sha256(text.encode()).hexdigest()[:16]


def judge(draft: Draft, today: date, dialect: str, language: Language, occurring: Occurring) -> Judged:
    """What of the conditions does not fit, each said beside its field."""
    lines, conditions = [], []
    for line in draft.lines:
        judged, condition = (line, None) if line.is_empty else _judged(line, today, dialect, language, occurring)
        lines.append(judged)
        conditions.append(condition)
    whole = replace(draft, lines=lines)
    if not any(conditions):
        is_told = any(line.problems for line in lines)
        none = {} if is_told else {"conditions": Voice(language)("misfit_no_condition")}
        return Judged(whole, None, none)
    fits = not any(line.problems for line in lines)
    return Judged(whole, tuple(filter(None, conditions)) if fits else None)


def define(judged: Judged, language: Language) -> tuple[Definition | None, Mapping[str, str]]:
    """The definition, or what of its fields does not fit: field -> sentence."""
    draft = judged.draft
    empty = [name for name in FIELDS if not getattr(draft, name)]
    problems = dict.fromkeys(empty, Voice(language)("misfit_missing"))
    if problems or judged.conditions is None:
        return None, problems
    parts = {name: getattr(draft, name) for name in (*FIELDS, "matching")}
    try:
        return Definition.of(**parts, conditions=judged.conditions), {}
    except Misfit as misfit:
        return None, {misfit.part: said(misfit, language)}


def said(misfit: Misfit, language: Language) -> str:
    """A misfit as a sentence beside its field."""
    say, name = Voice(language), f"misfit_{misfit.reason}" + (f"_{misfit.given}" if misfit.reason == "count" else "")
    return say(name, given=say(f"kind_{misfit.given}") if misfit.reason == "operator" else misfit.given)


def _judged(
    line: Line, today: date, dialect: str, language: Language, occurring: Occurring
) -> tuple[Line, Condition | None]:
    if not line.column:
        return replace(line, problems={"column": Voice(language)("misfit_missing")}), None
    table, _, name = line.column.rpartition(".")
    column = offered().get((table, name))
    parts = condition_from(line.column, line.operator, line.values, column.kind if column else None)
    known = occurring(column) if column and column.kind == "text" else None
    say = Voice(language)
    hint = [f"{value} ({in_words})" if (in_words := value_words(value, "text", say)) != value else value
            for value in known or ()]  # fmt: skip
    try:
        codes = {value_words(value, "text", say): value for value in known or ()}
        given = [value if value in (known or ()) else codes.get(value, value) for value in parts["values"]]
        condition = Condition.of(**parts | {"values": given})
        condition_sql([condition], "all", today, dialect)
    except Misfit as misfit:
        part = misfit.part if misfit.part in ("column", "operator", "values") else "values"
        return replace(line, problems={part: said(misfit, language)}, hint=hint), None
    nowhere = [value for value in condition.values if known is not None and value not in known]
    line = replace(line, values=values_text(condition), hint=hint)
    if nowhere:
        sentence = Voice(language)("misfit_nowhere", given=", ".join(nowhere))
        return replace(line, warning=sentence), condition
    return line, condition
