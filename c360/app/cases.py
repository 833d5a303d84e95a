"""Cases as they stand now: what is published, and what people have written down since; each event becomes a delivery.

What an event does to a case is decided by ``actions.case_events`` and ``actions.cases``; `after` does the same for what
those do not have yet.
"""

import re
import unicodedata
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cache
from threading import RLock

from c360.api.snapshot import Snapshot
from c360.app import handing_in
from c360.app.handing_in import HandedIn, Written, written_down
from c360.reports import Row
from lakehouse import warehouse
from lakehouse.lake.page_views import days_of_events
from lakehouse.language import Language
from lakehouse.settings import Settings
from lakehouse.warehouse.seeds import load_seeds

FEED = "case_events"
LONGEST_REMARK = 500  # characters
MOST_DIGITS = 6  # in a row: a document, a phone, a card and an account have more
_DATES = re.compile(r"(19|20)\d\d[-/.年](0?[1-9]|1[0-2])[-/.月](0?[1-9]|[12]\d|3[01])日?")
_DIGITS = re.compile(rf"(\d[\s\-./_·()+]*){{{MOST_DIGITS + 1},}}")
_DAYS = 2  # of the journal: what was written down before the last publish may not be in it


@dataclass(frozen=True)
class Choice:
    """A step or an outcome of the seeds."""

    name: str
    label_en: str
    label_zh: str
    next_state: str = "in work"  # after a step
    needs_signature: bool = False  # of an outcome

    def label(self, language: Language) -> str:
        """In the reader's language."""
        return self.label_zh if language == "zh" else self.label_en


@dataclass(frozen=True)
class Told:
    """An event of a case."""

    event_kind: str
    done_by: str
    happened_at: datetime  # UTC
    handed_to: str | None
    step_kind: str | None
    outcome: str | None
    due_date: date | None
    remark: str | None
    is_published: bool
    block_reason: str | None = None  # why it does not count


@dataclass(frozen=True)
class Case:
    """A case as it stands now."""

    row: Row  # of actions.cases
    events: tuple[Told, ...]  # the oldest first
    stage: str  # state, but for what waits for a signature
    is_to_sign: bool
    owner: str | None
    due_date: date
    outcome: str | None
    proposed_by: str | None

    @property
    def id(self) -> str:
        """<case_kind>:<subject_key>:<case_number>."""
        return self.row["case_id"]

    @property
    def state(self) -> str:
        """open, in work, waiting or closed."""
        return "waiting" if self.is_to_sign else self.stage

    @property
    def is_new(self) -> bool:
        """Whether nothing was ever told of it."""
        return not self.row["is_recorded"] and not self.events

    def may_be_signed_by(self, name: str) -> bool:
        """Whether somebody is the second person who decides about the proposed outcome."""
        return self.is_to_sign and (self.proposed_by or "").strip().lower() != name.strip().lower()


def statements() -> dict[str, str]:
    """The SQL of all cases, and of what was told of each."""
    return {
        f"{FEED}.cases": "select * from actions.cases order by case_id",
        f"{FEED}.told": "select * from actions.case_events order by case_id, event_number",
    }


class Cases:
    """All cases of the publish that is shown, with what was written down since."""

    def __init__(self, settings: Settings) -> None:
        self.writing = RLock()  # held from looking at a case to writing down what is done about it
        self._settings = settings
        self._written: dict[date, list[handing_in.Row]] = {}

    def of(self, publish: Snapshot) -> dict[str, Case]:
        """Every case by its id; what was written down for the shown date and the one before it counts already."""
        cases = dict(publish.once("cases", lambda: _read(publish)))
        for row in self._since(publish.business_date):
            case = cases.get(row["case_id"])
            if case is not None:
                cases[case.id] = after(case, row)
        return cases

    def add(self, published: date, row: handing_in.Row) -> None:
        """One more, which the journal has."""
        with self.writing:
            self._of_day(published).append(row)

    def _since(self, business_date: date) -> list[handing_in.Row]:
        with self.writing:
            days = [*days_of_events(self._settings.lake, business_date)[-_DAYS:]]
            return [row for day in days for row in self._of_day(day)]

    def _of_day(self, day: date) -> list[handing_in.Row]:
        if day not in self._written:
            self._written[day] = written_down(self._settings, FEED, day)
        return self._written[day]


def after(case: Case, row: handing_in.Row) -> Case:
    """The case after an event of the feed; what does not count, or is published already, changes nothing."""
    kind, by = row["event_kind"], row["done_by"]
    if row["event_id"] in case.row["event_ids"] or kind == "opened" or case.stage == "closed":
        return case
    told = _told(row)
    done = replace(case, events=(*case.events, told))
    if kind == "handed_over":
        return replace(done, stage="in work", owner=told.handed_to, due_date=told.due_date or case.due_date)
    if kind == "step" and (step := choices(case.row["subject_kind"], "steps").get(told.step_kind or "")):
        return replace(done, stage=step.next_state, due_date=told.due_date or case.due_date)
    if kind == "proposed" and (ends := choices(case.row["case_kind"], "outcomes").get(told.outcome or "")):
        stage = case.stage if ends.needs_signature else "closed"
        return replace(done, stage=stage, is_to_sign=ends.needs_signature, outcome=told.outcome, proposed_by=by)
    if kind in ("signed", "returned") and case.may_be_signed_by(by):
        return replace(done, stage="closed" if kind == "signed" else "in work", is_to_sign=False)
    return case


def event_row(case: Case, kind: str, by: str, day: date, at: datetime, number: str, **told: str) -> dict[str, str]:
    """The row of the feed for what somebody does about a case.

    Parameters
    ----------
    day : date
        Working day on which it counts.
    at : datetime
        Now, in UTC.
    number : str
        Tells events of one microsecond apart.
    told : str
        Other columns of the feed.
    """
    return _named(case.row, kind, by, day) | {
        "event_id": f"workbench:{at:%Y%m%dT%H%M%S.%f}-{number}",
        "happened_at": f"{at:%Y-%m-%d %H:%M:%S}",
        **{name: value for name, value in told.items() if value},
    }


def opened_row(row: Row, day: date) -> dict[str, str]:
    """The row of the feed that keeps what a case was opened for, as it was published."""
    amount = row["amount_at_risk"]
    return _named(row, "opened", "c360", day) | {
        "event_id": f"opened:{row['case_id']}",
        "happened_at": f"{row['business_date']} 00:00:00",
        "opened_date": str(row["opened_date"]),
        "amount": "" if amount is None else f"{amount:.2f}",
        "branch_code": row["branch_code"] or "",
        "evidence_en": plain(row["evidence_en"] or ""),
        "evidence_zh": plain(row["evidence_zh"] or ""),
    }


def has_number(text: str) -> bool:
    """Whether a text has as many digits in a row as a document, a phone, a card or an account; dates may stand in it.

    >>> [has_number(text) for text in ("pays 1,234,567 on 2026-01-03", "call 138 0013-8000", "已约定2026年1月3日")]
    [False, True, False]
    """
    return bool(_DIGITS.search(_DATES.sub(" d ", unicodedata.normalize("NFKC", text))))


def plain(text: str) -> str:
    """A text on one line, without the sign that parts the columns of the feed."""
    return " ".join(text.replace("|", "/").split())


@cache
def choices(of: str, what: str) -> dict[str, Choice]:
    """The steps of a kind of subject, or the outcomes of a kind of case, by name.

    Parameters
    ----------
    what : str
        ``steps`` or ``outcomes``.
    """
    key, name = {"steps": ("subject_kind", "step_kind"), "outcomes": ("case_kind", "outcome")}[what]
    rows = load_seeds()[f"case_{what}"].rows()
    return {
        row[name]: Choice(
            row[name],
            row["label_en"],
            row["label_zh"],
            row.get("next_state") or "in work",
            row.get("needs_signature") == "true",
        )
        for row in rows
        if row[key] == of
    }


@cache
def titles() -> dict[str, tuple[str, str]]:
    """Kind of case -> its title in English and Chinese."""
    return {row["case_kind"]: (row["title_en"], row["title_zh"]) for row in load_seeds()["case_kinds"].rows()}


def _read(publish: Snapshot) -> dict[str, Case]:
    events: dict[str, list[Row]] = {}
    for row in publish.prepared.rows(f"{FEED}.told"):
        events.setdefault(row["case_id"], []).append(row)
    return {
        row["case_id"]: _published(row, events.get(row["case_id"], []))
        for row in publish.prepared.rows(f"{FEED}.cases")
    }


def _published(row: Row, events: list[Row]) -> Case:
    stage = next((one["next_state"] for one in reversed(events) if one["is_counted"]), row["state"])
    return Case(
        row=dict(row) | {"event_ids": frozenset(one["event_id"] for one in events)},
        events=tuple(_told(one, is_published=True) for one in events if one["event_kind"] != "opened"),
        stage=row["state"] if row["state"] == "closed" else stage,
        is_to_sign=row["is_to_sign"],
        owner=row["owner"],
        due_date=row["due_date"],
        outcome=row["outcome"],
        proposed_by=row["proposed_by"],
    )


def _told(row: Row, is_published: bool = False) -> Told:
    due, at = row.get("due_date") or None, row["happened_at"]
    return Told(
        event_kind=row["event_kind"],
        done_by=row["done_by"],
        happened_at=datetime.fromisoformat(at) if isinstance(at, str) else at,
        handed_to=row.get("handed_to") or None,
        step_kind=row.get("step_kind") or None,
        outcome=row.get("outcome") or None,
        due_date=date.fromisoformat(due) if isinstance(due, str) else due,
        remark=row.get("case_note") or None,
        is_published=is_published,
        block_reason=row.get("block_reason") or None,
    )


def _named(row: Row, kind: str, by: str, day: date) -> dict[str, str]:
    return {
        "business_date": str(day),
        "case_id": row["case_id"],
        "case_kind": row["case_kind"],
        "subject_key": row["subject_key"],
        "case_number": str(row["case_number"]),
        "event_kind": kind,
        "done_by": by,
    }


def _new(settings: Settings, shown: Snapshot, day: date, _: Written) -> list[dict[str, str]]:
    """What each case was opened for of which nothing is known but today's warning, if that is published still."""
    rows = warehouse.query_serving(settings, "select * from actions.cases where not is_recorded").to_pylist()
    return [opened_row(row, day) for row in rows if row["business_date"] == shown.business_date]


HANDED_IN = HandedIn(FEED, "event_id", _new)
