"""Why an action was handed out or withheld, or a score given: the receipt that its publish left, as it was written."""

from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import Response

from c360 import receipts
from c360.api.sight import sees_customer, sees_place
from c360.app.workbench import Visit, Workbench
from lakehouse.errors import Stop


def routes(workbench: Workbench) -> APIRouter:
    """One receipt of the date that is shown."""
    router = APIRouter()

    @router.get("/receipts/{receipt_id}")
    def page(receipt_id: str, visit: Annotated[Visit, workbench.may("receipt", "actions:read")]) -> Response:
        found = _find(workbench, visit, receipt_id)
        if found is None or not _may_see(visit, found):
            workbench.refuse(visit)
        key = str(found.values["customer_key"])
        workbench.note(visit, "view", "receipt", [key], receipt_id)
        return workbench.page(
            visit,
            "receipt.html.j2",
            receipt=found,
            receipt_id=receipt_id,
            customer_key=key,
            sees_customer=visit.person.may("customers:read") and sees_customer(visit.person, visit.shown, key),
        )

    return router


def _find(workbench: Workbench, visit: Visit, receipt_id: str) -> receipts.Kept | None:
    """The newest receipt of that id of the date that is shown; None if there is none."""
    lake = workbench.settings.lake
    try:
        return receipts.kept(lake, receipts.find(lake, receipt_id, visit.shown.business_date))
    except Stop:
        return None


def _may_see(visit: Visit, found: receipts.Kept) -> bool:
    """Whether it is of an action that the person sees, or of a score of a customer whom they see.

    It has the features as they are, so nobody sees one whose role shows coarser values.
    """
    values = found.values
    if not visit.person.may("scores:read") or visit.person.level != "important":
        return False
    if values["receipt_kind"] == "action":
        return sees_place(visit.person, values)
    return visit.person.may("customers:read") and sees_customer(visit.person, visit.shown, str(values["customer_key"]))
