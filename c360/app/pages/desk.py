"""The clerk's desk: doubtful pairs, one pair with its evidence, the rehearsal of a decision, and the decision."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response

from c360 import desk
from c360.api.resources import RESOURCES
from c360.api.sight import CUSTOMER, WORKLIST
from c360.api.snapshot import Snapshot
from c360.app.handing_in import working_day
from c360.app.keeping import Kept
from c360.app.rehearsals import WAITING, Rehearsals
from c360.app.workbench import Visit, Workbench
from c360.desk.comparison import PARTS
from c360.desk.decisions import Names, names_of
from c360.reports import Query
from lakehouse import lake
from lakehouse.errors import Stop
from lakehouse.identity.explain import Evidence, evidence_of
from lakehouse.identity.masking import masked_pair
from lakehouse.ingestion import additions
from lakehouse.language import Language

PAGE = 25
LONGEST = 500  # characters of a reason
AGAIN = 5  # seconds after which a page of a rehearsal at work asks again
KEPT_PAIRS = 256
SHOWN = ("open", "decided", "all")
SORTED = ("by_money", "by_weight")
SCORES = next(one for one in RESOURCES if one.name == "scores")
FACTS = ("star_tier", "life_cycle_stage", "aum_amount", "deposit_amount", "investment_amount", "loan_amount")
FACTS += ("open_account_count", "party_count", "rm_id", "home_branch_code", "city", "risk_rating")
_HOUSEHOLD = """
    select relation, related_customer_key from marts.household_links where customer_key = $1 order by 2, 1
"""
_RECORDS = "select party_key from marts.dim_party where customer_key = $1 order by 1"


@dataclass(frozen=True)
class Line:
    """A pair on the list; what was decided of it, if anything."""

    left: str
    right: str
    customers: tuple[str, ...]
    money: Decimal  # assets and loans of both
    match_weight: float | None  # None: it is on no list any more
    reason: str
    decided: desk.Decided | None

    @property
    def is_open(self) -> bool:
        """Whether it waits for a clerk."""
        return self.decided is None or self.decided.kind == "withdrawn"

    @property
    def address(self) -> str:
        """The parameters of its pages."""
        return urlencode({"left": self.left, "right": self.right})


@dataclass(frozen=True)
class Table:
    """Figures of one part: a row per name, two cells per customer."""

    part: str
    rows: list[tuple[str, list[tuple[str | None, str | None]]]]  # name, (before, after) by customer


class Pairs:
    """The pairs of the desk: those of the last publish, with what is handed in of them by now."""

    def __init__(self, workbench: Workbench) -> None:
        self._workbench, self._settings = workbench, workbench.settings
        self._doubtful: Kept[list[desk.Pair]] = Kept(1)
        self._decided: Kept[dict[Names, desk.Decided]] = Kept(1)

    def lines(self, visit: Visit) -> list[Line]:
        """Every pair that is doubtful or decided, with what it moves."""
        said = self._decided.once(additions.state_of(self._settings, desk.FEED), self._read_decisions)
        money = visit.shown.once("money", partial(_money, visit.shown))
        lines: dict[Names, Line] = {}
        read = partial(desk.doubtful_pairs, self._settings, visit.shown.business_date)
        for pair in self._doubtful.once(visit.shown.publish_id, read):
            name, customers = names_of(pair.left, pair.right), (pair.left_customer, pair.right_customer)
            total = sum((money.get(key, Decimal(0)) for key in customers), Decimal(0))
            lines[name] = Line(*name, customers, total, pair.match_weight, pair.reason, said.get(name))
        if gone := said.keys() - lines.keys():
            with self._workbench.reading.shown(visit.shown.publish_id) as shown:
                rows = shown.query("select party_key, customer_key from marts.dim_party", ()).to_pylist()
            customer_of = {row["party_key"]: row["customer_key"] for row in rows}
            for name in gone:
                customers = tuple(dict.fromkeys(customer_of[key] for key in name if key in customer_of))
                total = sum((money.get(key, Decimal(0)) for key in customers), Decimal(0))
                lines[name] = Line(*name, customers, total, None, "", said[name])
        return list(lines.values())

    def line(self, visit: Visit, given: dict[str, str]) -> Line:
        """The pair that is asked for; of one that is neither doubtful nor decided there is no page."""
        name = names_of(given.get("left", ""), given.get("right", ""))
        found = [line for line in self.lines(visit) if (line.left, line.right) == name]
        if not found:
            self._workbench.refuse(visit)
        return found[0]

    def _read_decisions(self) -> dict[Names, desk.Decided]:
        return desk.decisions(self._settings)


def routes(workbench: Workbench) -> APIRouter:
    """The list, a pair, its rehearsals, its decision."""
    router, rehearsals = APIRouter(), Rehearsals(workbench.settings)
    kept, pairs = Kept[Evidence](KEPT_PAIRS), Pairs(workbench)
    reading, deciding = workbench.may("desk", "identity:read"), workbench.may("desk", "identity:decide", desk.FEED)

    @router.get("/desk")
    def listed(visit: Annotated[Visit, reading]) -> Response:
        asked = visit.asked
        show = asked.get("show") if asked.get("show") in SHOWN else "open"
        sort = asked.get("sort") if asked.get("sort") in SORTED else "by_money"
        lines = [line for line in pairs.lines(visit) if show == "all" or line.is_open == (show == "open")]
        lines.sort(key=_by_weight if sort == "by_weight" else _by_money)
        number = visit.page_of(len(lines), PAGE)
        found = lines[(number - 1) * PAGE : number * PAGE]
        workbench.note(visit, "view", "desk", [key for line in found for key in line.customers] or [None])
        return workbench.page(
            visit,
            "desk.html.j2",
            lines=found,
            count=len(lines),
            number=number,
            size=PAGE,
            chosen={"show": show, "sort": sort},
            choices={"show": SHOWN, "sort": SORTED},
            page_link=lambda one: f"/desk?{urlencode(asked | {'page': str(one)})}",
        )

    @router.get("/desk/pair")
    def pair(visit: Annotated[Visit, reading]) -> Response:
        line = pairs.line(visit, visit.asked)
        workbench.note(visit, "view", "pair", line.customers, f"{line.left}, {line.right}")
        about = (visit.shown.publish_id, line.left, line.right)
        try:
            evidence = kept.once(about, partial(_evidence, workbench, visit, line))
        except Stop:
            evidence = None  # there is no model, or a record has gone since
        with workbench.reading.shown(visit.shown.publish_id) as shown:
            today = {key: _today(visit.shown, shown.query, key) for key in line.customers}
        trials = {kind: rehearsals.of((*about, kind)) for kind in desk.KINDS}
        content = {"evidence": evidence, "today": today, "facts": FACTS, "trials": trials}
        return workbench.page(visit, "desk_pair.html.j2", line=line, **content)

    @router.post("/desk/decide")
    def decide(visit: Annotated[Visit, deciding]) -> Response:
        line, kind = pairs.line(visit, visit.form), _kind(workbench, visit, visit.form)
        why, day = visit.form.get("why", "")[:LONGEST], working_day(workbench.settings, visit.shown.business_date)
        back = f"/desk/pair?{line.address}"
        if not why.strip():
            return RedirectResponse(f"{back}#decide", 303)
        workbench.note(visit, "write", desk.FEED, line.customers, f"{kind}: {line.left}, {line.right}")
        try:
            desk.decide(workbench.settings, day, line.left, line.right, kind, visit.person.name, why)
        except Stop as stop:
            return workbench.page(visit, "desk_stopped.html.j2", line=line, title="not_handed_in", problem=f"{stop}")
        return RedirectResponse(f"{back}#decide", 303)

    _add_rehearsals(router, workbench, rehearsals, pairs)
    return router


def _add_rehearsals(router: APIRouter, workbench: Workbench, rehearsals: Rehearsals, pairs: Pairs) -> None:
    """The page that begins a rehearsal, and the one that shows it."""
    reading, deciding = workbench.may("desk", "identity:read"), workbench.may("desk", "identity:decide", desk.FEED)

    @router.post("/desk/rehearse")
    def begin(visit: Annotated[Visit, deciding]) -> Response:
        line, kind = pairs.line(visit, visit.form), _kind(workbench, visit, visit.form)
        workbench.note(visit, "view", "rehearsal", line.customers, f"{kind}: {line.left}, {line.right}")
        name = (visit.shown.publish_id, line.left, line.right, kind)
        if not rehearsals.begin(name, datetime.now(UTC).replace(tzinfo=None)):
            problem = visit.text("too_many_rehearsals", count=WAITING)
            return workbench.page(visit, "desk_stopped.html.j2", line=line, title="not_begun", problem=problem)
        return RedirectResponse(f"/desk/rehearsal?{line.address}&kind={kind}", 303)

    @router.get("/desk/rehearsal")
    def rehearsal(visit: Annotated[Visit, reading]) -> Response:
        line, kind = pairs.line(visit, visit.asked), _kind(workbench, visit, visit.asked)
        trial = rehearsals.of((visit.shown.publish_id, line.left, line.right, kind))
        found = trial.found if trial else None
        workbench.note(visit, "view", "rehearsal", found["customers"] if found else line.customers, kind)
        answer = workbench.page(
            visit,
            "desk_rehearsal.html.j2",
            line=line,
            kind=kind,
            trial=trial,
            found=found,
            tables=_tables(found, visit.language) if found else (),
        )
        if trial and not trial.is_ended:
            answer.headers["Refresh"] = str(AGAIN)
        return answer


def _kind(workbench: Workbench, visit: Visit, given: dict[str, str]) -> str:
    kind = given.get("kind", "")
    if kind not in desk.KINDS:
        workbench.refuse(visit)
    return kind


def _evidence(workbench: Workbench, visit: Visit, line: Line) -> Evidence:
    pin = lake.pin(workbench.settings.lake, visit.shown.business_date)
    return evidence_of(workbench.settings, pin, line.left, line.right, masked_pair)


def _money(shown: Snapshot) -> dict[str, Decimal]:
    """Customer -> assets and loans."""
    rows: list[dict[str, Any]] = shown.rows(CUSTOMER, {}, ("customer_key", "aum_amount", "loan_amount"))
    return {row["customer_key"]: (row["aum_amount"] or Decimal(0)) + (row["loan_amount"] or Decimal(0)) for row in rows}


def _by_money(line: Line) -> tuple[Any, ...]:
    return (-line.money, -(line.match_weight or 0.0), line.left, line.right)


def _by_weight(line: Line) -> tuple[Any, ...]:
    return (-(line.match_weight or 0.0), -line.money, line.left, line.right)


def _today(shown: Snapshot, query: Query, key: str) -> dict[str, object]:
    """What a customer is on the published date, by name; text and figures."""
    (row,) = shown.rows(CUSTOMER, {"customer_key": key}, FACTS) or [dict.fromkeys(FACTS)]
    scores = shown.rows(SCORES, {"customer_key": key}, ("task_en", "task_zh", "band"))
    actions = shown.rows(WORKLIST, {"customer_key": key}, ("source", "is_handed_out"))
    return {
        "facts": row,
        "scores": [one for one in scores if one["band"] in ("high", "medium")],
        "actions": [one["source"] for one in actions if one["is_handed_out"]],
        "records": query(_RECORDS, (key,))["party_key"].to_pylist(),
        "household": query(_HOUSEHOLD, (key,)).to_pylist(),
    }


def _tables(found: Any, language: Language) -> list[Table]:
    """The figures of a rehearsal's customers that change, by part; names in the reader's language alone."""
    other = "_en" if language == "zh" else "_zh"
    customers: list[str] = found["customers"]
    tables = []
    for part in PARTS:
        cells: dict[str, dict[str, tuple[str | None, str | None]]] = {}
        for one in found["figures"]:
            if one["part"] == part and not one["name"].endswith(other):
                cells.setdefault(one["name"], {})[one["customer_key"]] = (one["before"], one["after"])
        rows = [
            (name, [values.get(key, (None, None)) for key in customers])
            for name, values in cells.items()
            if any(before != after for before, after in values.values())
        ]
        if rows:
            tables.append(Table(part, rows))
    return tables
