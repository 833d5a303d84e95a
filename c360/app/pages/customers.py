"""Find a customer; the page of one customer."""

from collections.abc import Mapping
from datetime import tzinfo
from functools import partial
from typing import Annotated
from urllib.parse import quote, urlencode

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response

from c360.api.sight import CUSTOMER, sees_customer
from c360.api.snapshot import Snapshot
from c360.app.cases import titles
from c360.app.groups import KINDS, Groups, Kind
from c360.app.keeping import Kept
from c360.app.pages.cases import open_cases
from c360.app.pages.worklist import cards
from c360.app.workbench import Visit, Workbench
from c360.finding import WAYS, keys_of
from c360.reports import customer
from lakehouse.language import Language

KEPT_PAGES = 256  # customers whose plots need not be drawn again; the oldest goes


def routes(workbench: Workbench) -> APIRouter:
    """Find, and the page of a customer."""
    router = APIRouter()
    drawn: Kept[dict[str, object]] = Kept(KEPT_PAGES)

    groups = Groups(workbench)

    @router.get("/find")
    def ask(visit: Annotated[Visit, workbench.may("find", "customers:read")]) -> Response:
        offered = _offered(groups, visit)
        kinds = [kind for kind in KINDS if kind in visit.asked]
        if not kinds:
            return workbench.page(visit, "find.html.j2", **_nothing_found(offered))
        kind, name = kinds[0], visit.asked[kinds[0]]
        titles = dict(offered.get(kind, ()))
        if name not in titles:
            workbench.refuse(visit)
        listing = groups.listing(visit, kind, name)
        workbench.note(visit, "view", "find", listing.keys, f"by {kind} {name}")
        shown = {"listing": listing, "asked_group": titles[name], "page_link": partial(_group_address, kind, name)}
        return workbench.page(visit, "find.html.j2", **_nothing_found(offered) | shown)

    @router.post("/find")
    def find(visit: Annotated[Visit, workbench.may("find", "customers:read")]) -> Response:
        way, value = visit.form.get("way", ""), visit.form.get("value", "").strip()
        with workbench.reading.shown(visit.shown.publish_id) as shown:
            found = keys_of(workbench.settings, shown.query, way, value)
        seen = [key for key in found if sees_customer(visit.person, visit.shown, key)]
        if len(seen) == 1:
            workbench.note(visit, "view", "find", seen, f"by {way}")
            return RedirectResponse(f"/customers/{quote(seen[0], safe='')}", 303)
        by = f"by {way if way in WAYS else 'nothing'}"
        workbench.note(visit, "view" if seen else "refusal", "find", seen or found or [None], by)
        told = {"way": way, "problem": "several" if seen else "nobody", "found": seen}
        return workbench.page(visit, "find.html.j2", **_nothing_found(_offered(groups, visit)) | told)

    @router.get("/customers/{customer_key}")
    def page(customer_key: str, visit: Annotated[Visit, workbench.may("customer", "customers:read")]) -> Response:
        if not sees_customer(visit.person, visit.shown, customer_key):
            workbench.refuse(visit, customer_key if len(customer_key) <= 100 else None)
        workbench.note(visit, "view", "customer", [customer_key])
        read = partial(_content, visit.shown, customer_key, workbench.zone, visit.language)
        content = drawn.once((visit.shown.publish_id, customer_key, visit.language), read)
        actions = cards(workbench, visit, {"customer_key": customer_key})
        found = open_cases(workbench, visit).get(customer_key, [])
        receipts = _receipts_of(visit, content)
        live = {"actions": actions, "cases": found, "case_titles": titles(), "receipts_of": receipts}
        return workbench.page(visit, "customer_live.html.j2", **live, **content)

    return router


def statements() -> dict[str, str]:
    """The SQL of each part of a customer's page."""
    return {_part(name): sql for name, sql in customer.statements().items()}


def read_customer(shown: Snapshot, key: str, zone: tzinfo) -> customer.CustomerReport:
    """The report on a customer who is published."""
    (row,) = shown.rows(CUSTOMER, {"customer_key": key}, list(shown.columns[CUSTOMER.name]))
    parts = {name: shown.prepared.of(_part(name), key) for name in customer.PARTS}
    return customer.report_of(row, parts, zone)


def _part(name: str) -> str:
    return f"customer.{name}"


def _nothing_found(offered: Mapping[Kind, list[tuple[str, str]]]) -> dict[str, object]:
    """What the page shows before anybody is found."""
    return {"ways": WAYS, "way": "key", "problem": None, "found": (), "groups": offered, "listing": None}


def _offered(groups: Groups, visit: Visit) -> dict[Kind, list[tuple[str, str]]]:
    """The groups by which a person may look for customers, by kind: name, and how it is shown."""
    found: dict[Kind, list[tuple[str, str]]] = {}
    if visit.person.may("tags:read"):
        found["tag"] = [(name, name) for name in groups.tags(visit)]
    title = f"segment_name_{visit.language}"
    found["segment"] = [(str(row["segment_id"]), row[title]) for row in groups.segments(visit)]
    return {kind: options for kind, options in found.items() if options}


def _group_address(kind: Kind, name: str, number: int) -> str:
    return f"/find?{urlencode({kind: name, 'page': number})}#found"


def _content(shown: Snapshot, key: str, zone: tzinfo, language: Language) -> dict[str, object]:
    return customer.content(read_customer(shown, key, zone), language)


def _receipts_of(visit: Visit, content: Mapping[str, object]) -> frozenset[str]:
    """The tasks whose score is in the highest band, of which there are receipts; none without the right."""
    report = content["report"]
    assert isinstance(report, customer.CustomerReport)
    high = [row for row in report.scores if row["band"] == "high"] if visit.person.may("actions:read") else []
    return frozenset(row["task"] for row in high)
