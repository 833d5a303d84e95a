"""The worklist: what is to be done, why, for how much money; and what became of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import uuid4

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response

from c360.api.sight import WORKLIST, own_filter, sees_place, sight_of
from c360.app.handing_in import working_day
from c360.app.keeping import Kept
from c360.app.outcomes import FEED, RESULTS, outcome_row
from c360.app.workbench import Visit, Workbench
from c360.reports import Row
from c360.reports.worklist import REACHED

PAGE = 25
KEPT_LISTS = 128  # of who sees the same and asks for the same
_NAMES = ("action_id", "customer_key")
FILTERS = ("branch_code", "rm_id", "channel")
ORDERED = (
    "action_id",
    "priority",
    "expected_amount",
    "amount_at_stake",
    "is_handed_out",
    "action_state",
    "owner",
    "customer_key",
    *FILTERS,
)


PLACED = ("branch_code", "rm_id", "owner", "is_handed_out")  # by which it is told who sees an action


@dataclass(frozen=True)
class Card:
    """An action, and what was handed in of it today."""

    action: Row
    result: str | None  # button that was pressed
    reported_by: str | None
    may_report: bool


def routes(workbench: Workbench) -> APIRouter:
    """The list, and what is handed in of it."""
    router = APIRouter()
    lists: Kept[list[dict[str, Any]]] = Kept(KEPT_LISTS)
    choices: Kept[dict[str, list[str]]] = Kept(KEPT_LISTS)

    @router.get("/worklist")
    def show(visit: Annotated[Visit, workbench.may("worklist", "actions:read")]) -> Response:
        asked = visit.asked
        fixed: dict[str, Any] = {name: asked[name] for name in FILTERS if asked.get(name)}
        fixed["is_handed_out"] = asked.get("show") != "held_back"
        is_by_money, sight = asked.get("sort") != "priority", (visit.shown.publish_id, sight_of(visit.person))
        name = *sight, *sorted(fixed.items()), is_by_money
        listed = lists.once(name, partial(_ordered, visit, fixed, is_by_money))
        number = visit.page_of(len(listed), PAGE)
        found = [card for one in listed[(number - 1) * PAGE : number * PAGE] for card in cards(workbench, visit, one)]
        workbench.note(visit, "view", "worklist", [card.action["customer_key"] for card in found] or [None])
        return workbench.page(
            visit,
            "worklist_live.html.j2",
            cards=found,
            count=len(listed),
            number=number,
            size=PAGE,
            choices=choices.once(sight, partial(_choices, visit)),
            fixed=fixed,
            address=_address(asked),
            page_link=lambda one: _address(asked | {"page": str(one)}),
        )

    @router.post("/worklist/outcomes")
    def report(visit: Annotated[Visit, workbench.may("outcome", "actions:report", FEED)]) -> Response:
        action_id, result = visit.form.get("action_id", ""), visit.form.get("result", "")
        found = [card for card in cards(workbench, visit, {"action_id": action_id}) if card.may_report]
        if not found or result not in RESULTS:
            workbench.refuse(visit)
        action = found[0].action
        number, day = uuid4().hex, working_day(workbench.settings, visit.shown.business_date)
        row = outcome_row(action, result, number, day, visit.person.name)
        workbench.note(visit, "write", FEED, [action["customer_key"]], result, row, event_id=number)
        workbench.written.add(visit.shown.business_date, row)
        workbench.handing_in[FEED].ask()
        return RedirectResponse(_back(visit.form.get("back", "")), 303)

    return router


def cards(workbench: Workbench, visit: Visit, fixed: Mapping[str, Any]) -> list[Card]:
    """The actions with these values that the person sees, the most pressing first."""
    columns = list(visit.shown.columns[WORKLIST.name])
    rows = [row for row in visit.shown.rows(WORKLIST, fixed, columns) if sees_place(visit.person, row)]
    written = workbench.written.of(visit.shown.business_date)
    may_report = visit.person.may("actions:report") and workbench.deployment.takes_in(FEED)
    found = []
    for row in sorted(rows, key=lambda row: (not row["is_handed_out"], row["priority"], row["action_id"])):
        can_be = bool(row["is_handed_out"]) and row["channel"] != "internal"  # said to a customer, not done within
        told = written.get(f"{row['source']}:{row['customer_key']}") if can_be else None
        result = next((name for name, outcome in RESULTS.items() if told and told["outcome"] == outcome), None)
        found.append(Card(row, result, told["reported_by"] if told else None, may_report and can_be))
    return found


def _ordered(visit: Visit, fixed: dict[str, Any], is_by_money: bool) -> list[dict[str, Any]]:
    """The names of a person's actions that are asked for, those to call about first: by money or by urgency."""
    mine = own_filter(visit.person)
    if any(fixed.get(name, value) != value for name, value in mine.items()):
        return []
    rows: list[dict[str, Any]] = visit.shown.rows(WORKLIST, fixed | mine, ORDERED)
    rows = [row for row in rows if sees_place(visit.person, row)]

    def money(row: dict[str, Any]) -> tuple[Decimal, Decimal]:
        return tuple(-(row[name] or Decimal(0)) for name in ("expected_amount", "amount_at_stake"))  # type: ignore[return-value]

    def place(row: dict[str, Any]) -> tuple:
        order = (*money(row), row["priority"]) if is_by_money else (row["priority"], *money(row))
        return row["action_state"] in REACHED, *order, row["action_id"]

    return [{name: row[name] for name in _NAMES} for row in sorted(rows, key=place)]


def waiting(visit: Visit) -> list[tuple[str, int]]:
    """What is on the person's list, and what of it is urgent: the name of a text, and how many."""
    fixed = {"is_handed_out": True} | own_filter(visit.person)
    rows = visit.shown.rows(WORKLIST, fixed, (*PLACED, "urgency"))
    urgencies = [row["urgency"] for row in rows if sees_place(visit.person, row)]
    return [("{count} to do", len(urgencies)), ("{count} urgent", urgencies.count("high"))]


def _choices(visit: Visit) -> dict[str, list[str]]:
    """The values that a person may filter by; of what is fixed for them, none."""
    rows = visit.shown.rows(WORKLIST, own_filter(visit.person), FILTERS)
    values = {name: sorted({str(row[name]) for row in rows if row[name] is not None}) for name in FILTERS}
    return {name: found for name, found in values.items() if len(found) > 1}


def _address(asked: dict[str, str]) -> str:
    return f"/worklist?{urlencode(asked)}" if asked else "/worklist"


def _back(path: str) -> str:
    return path if path.startswith(("/worklist", "/customers/")) and "\\" not in path else "/worklist"
