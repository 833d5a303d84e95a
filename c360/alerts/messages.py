"""One message: the cases of a rule that a receiver has not been told of, as text and as a page of mail."""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, select_autoescape

from c360.alerts.cases import Case, Value
from c360.alerts.rules import Rule
from lakehouse.lake.alerts import State
from lakehouse.language import Language, Voice

TEMPLATES = Path(__file__).with_name("templates")
SEVERITY = {
    "critical": {"en": "critical", "zh": "严重"},
    "warning": {"en": "warning", "zh": "警告"},
    "info": {"en": "information", "zh": "提示"},
}
YES_NO = {"en": ("no", "yes"), "zh": ("否", "是")}
CASE = {"en": "Case", "zh": "编号"}


@dataclass(frozen=True)
class Message:
    """What a receiver is told by one rule; equal cases give an equal message."""

    id: str  # the same however often it is sent
    rule: Rule
    receiver: str
    language: Language
    business_date: date
    zone: tzinfo  # of the bank, in which times are shown
    cases: tuple[Case, ...]

    @property
    def subject(self) -> str:
        severity, count = SEVERITY[self.rule.severity][self.language], len(self.cases)
        title = self.rule.title.of(self.language)
        if self.language == "zh":
            return f"【{severity}】{title}：{count} 项，业务日期 {self.business_date}"
        return f"[{severity}] {title}: {count} {'case' if count == 1 else 'cases'}, business date {self.business_date}"

    @property
    def headings(self) -> list[str]:
        """Over the columns of `rows`."""
        return [CASE[self.language], *map(self._heading, self._columns)]

    @property
    def rows(self) -> list[list[str]]:
        """Case by case, as many as the rule lists: its name, and what is said of it."""
        return [
            [case.name, *(self._text(case.values[name]) for name in self._columns)]
            for case in self.cases[: self.rule.at_most]
        ]

    @property
    def heading_of_group(self) -> str:
        return self._heading(self.rule.group or "")

    @property
    def groups(self) -> list[tuple[str, int]]:
        """How many cases there are of each value of the rule's group."""
        if self.rule.group is None:
            return []
        counts = Counter(self._text(case.values[self.rule.group]) for case in self.cases)
        return sorted(counts.items(), key=lambda group: (-group[1], group[0]))

    @property
    def text(self) -> str:
        return self._render("message.txt.j2")

    @property
    def html(self) -> str:
        return self._render("message.html.j2")

    @property
    def document(self) -> dict[str, object]:
        """The same for a program, as a webhook gets it."""
        return {
            "id": self.id,
            "rule": self.rule.name,
            "severity": self.rule.severity,
            "business_date": str(self.business_date),
            "subject": self.subject,
            "text": self.text,
            "runbook": self.rule.what_to_do,
            "count": len(self.cases),
            "cases": [dict(zip(["case", *self._columns], row, strict=True)) for row in self.rows],
        }

    @property
    def _columns(self) -> list[str]:
        return [column.format(language=self.language) for column in self.rule.shows]

    def _heading(self, column: str) -> str:
        return Voice(self.language).column(column)

    def _text(self, value: Value) -> str:
        if value is None:
            return ""
        if isinstance(value, bool):
            return YES_NO[self.language][value]
        if isinstance(value, Decimal):
            return f"{value:,}"
        if isinstance(value, float):
            return f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"
        if isinstance(value, datetime):
            moment = value if value.tzinfo else value.replace(tzinfo=UTC)  # as all times of the store
            return f"{moment.astimezone(self.zone):%Y-%m-%d %H:%M}"
        return " ".join(str(value).split())

    def _render(self, template: str) -> str:
        return _templates().get_template(template).render(message=self, rule=self.rule, is_zh=self.language == "zh")


def message_of(
    rule: Rule,
    receiver: str,
    language: Language,
    cases: Sequence[Case],
    state: State,
    business_date: date,
    zone: tzinfo,
) -> Message:
    """The message of these cases.

    Its id comes from them, from what the receiver was last told of them, and from how often cases ended: what came back
    is news.
    """
    named: list[list[str | int]] = [[rule.name, receiver, state.ended.get(rule.name, 0)]]
    for case in sorted(cases, key=lambda case: case.name):
        told = state.of(rule.name, case.name).told.get(receiver)
        named.append([case.name, case.state, told.message_id if told else ""])
    made = hashlib.sha256(json.dumps(named).encode()).hexdigest()[:32]
    return Message(made, rule, receiver, language, business_date, zone, tuple(cases))


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(["html.j2"]),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
