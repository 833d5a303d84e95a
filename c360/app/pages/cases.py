"""Cases: who has them, why, what was done, how they end; a second person signs where the bank wants it."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated
from urllib.parse import quote, urlencode
from uuid import uuid4

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response

from c360.access import Grant, read_grants
from c360.api.sight import sees_case
from c360.app.cases import FEED, LONGEST_REMARK, Case, choices, event_row, has_number, opened_row, plain, titles
from c360.app.handing_in import working_day
from c360.app.pages.worklist import cards
from c360.app.workbench import Visit, Workbench
from c360.reports import Row
from lakehouse.language import Voice
from ml_jobs.task_file import task_said

PAGE = 25
SHOWN = ("open", "mine", "to_sign", "overdue", "closed")
KINDS = ("handed_over", "step", "proposed", "signed", "returned")
NEED_A_REMARK = ("proposed", "returned")


def routes(workbench: Workbench) -> APIRouter:
    """The list, a case, and what is done about it."""
    router = APIRouter()
    titles()  # reads the seeds: who comes first does not wait for it

    @router.get("/cases")
    def listed(visit: Annotated[Visit, workbench.may("cases", "cases:read")]) -> Response:
        asked = visit.asked
        seen = _seen(workbench, visit)
        of_kind = [case for case in seen if _is_of_kind(case, visit)]
        found = sorted((case for case in of_kind if _is_of(case, _view(visit), visit)), key=_place)
        number = visit.page_of(len(found), PAGE)
        shown = found[(number - 1) * PAGE : number * PAGE]
        keys = [case.row["customer_key"] for case in shown if case.row["customer_key"]]
        workbench.note(visit, "view", "cases", keys or [None])
        return workbench.page(
            visit,
            "cases.html.j2",
            cases=shown,
            count=len(found),
            number=number,
            size=PAGE,
            views=SHOWN if visit.person.may("cases:write") else ("open", "overdue", "closed"),
            counts={name: sum(_is_of(case, name, visit) for case in of_kind) for name in SHOWN},
            kinds=sorted({case.row["case_kind"] for case in seen}),
            branches=sorted({case.row["branch_code"] for case in seen if case.row["branch_code"]}),
            titles=titles(),
            subject=_subject,
            page_link=lambda one: f"/cases?{urlencode(asked | {'page': str(one)})}",
        )

    @router.get("/cases/{case_id}")
    def page(case_id: str, visit: Annotated[Visit, workbench.may("case", "cases:read")]) -> Response:
        case = _one(workbench, visit, case_id)
        workbench.note(visit, "view", "case", [case.row["customer_key"]], case.id)
        return _page(workbench, visit, case)

    @router.post("/cases/events")
    def do(visit: Annotated[Visit, workbench.may("case", "cases:write", FEED)]) -> Response:
        with workbench.cases.writing:
            case = _one(workbench, visit, visit.form.get("case_id", ""))
            kind = visit.form.get("do", "")
            if kind not in KINDS or (kind in ("signed", "returned") and not visit.person.may("cases:sign")):
                workbench.refuse(visit, case.row["customer_key"])
            told, problem = _told(workbench, visit, case, kind)
            if problem:
                return _page(workbench, visit, case, problem)
            _write(workbench, visit, case, kind, told)
        workbench.handing_in[FEED].ask()
        return RedirectResponse(_path(case), 303)

    return router


def _seen(workbench: Workbench, visit: Visit) -> list[Case]:
    """The cases that the person sees."""
    cases = workbench.cases.of(visit.shown).values()
    return [case for case in cases if sees_case(visit.person, visit.shown, case.row)]


def open_cases(workbench: Workbench, visit: Visit) -> dict[str, list[Case]]:
    """Customer -> their open cases that the person sees, the most money at risk first; none without the right."""
    found: dict[str, list[Case]] = {}
    for case in sorted(_seen(workbench, visit), key=_place) if visit.person.may("cases:read") else ():
        if case.row["customer_key"] and case.state != "closed":
            found.setdefault(case.row["customer_key"], []).append(case)
    return found


def waiting(workbench: Workbench, visit: Visit) -> list[tuple[str, int]]:
    """The open cases that the person sees, and those overdue: the name of a text, and how many."""
    seen = _seen(workbench, visit)
    counts = {view: sum(_is_of(case, view, visit) for case in seen) for view in ("open", "overdue")}
    return [("{count} open", counts["open"]), ("{count} overdue", counts["overdue"])]


def _one(workbench: Workbench, visit: Visit, case_id: str) -> Case:
    """The case, if the person sees it; one that they do not see looks like none."""
    case = workbench.cases.of(visit.shown).get(case_id)
    if case is None or not sees_case(visit.person, visit.shown, case.row):
        workbench.refuse(visit, case.row["customer_key"] if case else None)
    return case


def _view(visit: Visit) -> str:
    asked = visit.asked.get("show", "open")
    return asked if asked in SHOWN else "open"


def _is_of_kind(case: Case, visit: Visit) -> bool:
    """Whether a case is of the kind and of the branch that are asked for."""
    asked = visit.asked
    return asked.get("kind") in (None, "", case.row["case_kind"]) and asked.get("branch") in (
        None,
        "",
        case.row["branch_code"],
    )


def _is_of(case: Case, view: str, visit: Visit) -> bool:
    """Whether a case is in a view of the list."""
    name = visit.person.name
    if view == "closed" or case.state == "closed":
        return view == "closed" and case.state == "closed"
    if view == "mine":
        return case.owner == name
    if view == "to_sign":
        return case.may_be_signed_by(name) and visit.person.may("cases:sign")
    return view == "open" or case.due_date < visit.shown.business_date


def _place(case: Case) -> tuple[Decimal, date, str]:
    """The most money at risk first, then what is due first."""
    return -(case.row["amount_at_risk"] or Decimal(0)), case.due_date, case.id


def _actions(workbench: Workbench, visit: Visit, customer_key: str | None) -> list[Row]:
    """What the worklist says of the customer of a case; nothing to who may not read it."""
    if customer_key is None or not visit.person.may("actions:read"):
        return []
    return [card.action for card in cards(workbench, visit, {"customer_key": customer_key})]


def _page(workbench: Workbench, visit: Visit, case: Case, problem: str | None = None) -> Response:
    row, person = case.row, visit.person
    is_open, takes_in = case.state != "closed", workbench.deployment.takes_in(FEED)
    may_decide = is_open and takes_in and person.may("cases:sign") and case.may_be_signed_by(person.name)
    return workbench.page(
        replace(visit, path=_path(case)),
        "case.html.j2",
        case=case,
        title=titles()[row["case_kind"]][visit.language == "zh"],
        subject=_subject,
        actions=_actions(workbench, visit, row["customer_key"]),
        steps=choices(row["subject_kind"], "steps"),
        outcomes=choices(row["case_kind"], "outcomes"),
        others=[one.name for one in _who_may(workbench, visit, case)],
        may_write=is_open and takes_in and person.may("cases:write"),
        may_decide=may_decide,
        problem=problem,
        doing=visit.form.get("do") if problem else None,
        typed=visit.form if problem else {},
        longest=LONGEST_REMARK,
    )


def _subject(row: Row, say: Voice) -> str:
    """What a case is about: a customer's key, a feed, or a model by what it foresees."""
    key: str = row["subject_key"]
    if row["subject_kind"] == "model":
        return task_said(key, say)
    return key if row["subject_kind"] == "customer" else say.code(key)


def _path(case: Case) -> str:
    return f"/cases/{quote(case.id, safe='')}"


def _who_may(workbench: Workbench, visit: Visit, case: Case) -> Iterable[Grant]:
    """To whom a case can be handed: whoever sees it and may work on it, by name."""
    today = datetime.now(UTC).date()
    grants = {one.name: one for one in read_grants(workbench.settings.api_tokens).values() if today <= one.last_day}
    for name in sorted(grants):
        if grants[name].role and grants[name].may("cases:write") and sees_case(grants[name], visit.shown, case.row):
            yield grants[name]


def _told(workbench: Workbench, visit: Visit, case: Case, kind: str) -> tuple[dict[str, str], str | None]:
    """What the form says, as columns of the feed, and the name of the text that says what is wrong with it."""
    form = visit.form
    told = {"case_note": plain(form.get("remark", ""))}
    if case.state == "closed":
        return told, "case_is_closed"
    if len(told["case_note"]) > LONGEST_REMARK:
        return told, "remark_too_long"
    if has_number(told["case_note"]):
        return told, "remark_has_number"
    if kind in NEED_A_REMARK and not told["case_note"]:
        return told, "remark_missing"
    if kind in ("signed", "returned"):
        return told, None if case.may_be_signed_by(visit.person.name) else "not_yours_to_sign"
    if kind in ("step", "handed_over"):
        told["due_date"] = form.get("due_date", "")
        if told["due_date"] and not _is_day(told["due_date"], visit.shown.business_date):
            return told, "due_date_wrong"
    name, known = {
        "step": ("step_kind", choices(case.row["subject_kind"], "steps")),
        "proposed": ("outcome", choices(case.row["case_kind"], "outcomes")),
        "handed_over": ("handed_to", {one.name: one for one in _who_may(workbench, visit, case)}),
    }[kind]
    told[name] = form.get(name, "")
    return told, None if told[name] in known else "choice_missing"


def _is_day(text: str, after: date) -> bool:
    try:
        return date.fromisoformat(text) > after
    except ValueError:
        return False


def _write(workbench: Workbench, visit: Visit, case: Case, kind: str, told: dict[str, str]) -> None:
    """Write down what is done, and before it what the case was opened for, if nobody has touched it yet."""
    published = visit.shown.business_date
    day = working_day(workbench.settings, published)
    row = event_row(case, kind, visit.person.name, day, datetime.now(UTC), uuid4().hex[:8], **told)
    rows = [opened_row(case.row, day), row] if case.is_new else [row]
    for one in rows:
        workbench.note(visit, "write", FEED, [case.row["customer_key"]], f"{one['event_kind']} {case.id}", one)
        workbench.cases.add(published, one)
