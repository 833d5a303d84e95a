"""Who has seen whom today; ``ops.page_views`` has the days before."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import Response

from c360.app.workbench import Visit, Workbench
from lakehouse.lake.page_views import read_events

MOST = 500  # events on the page, the newest first
NAMED = frozenset({"receipt", "case", "tag", "tag_form"})  # pages whose detail is the name of what was shown


def routes(workbench: Workbench) -> APIRouter:
    """The journal."""
    router = APIRouter()

    @router.get("/audit")
    def page(visit: Annotated[Visit, workbench.may("audit", "audit:read")]) -> Response:
        events = read_events(workbench.settings.lake, visit.shown.business_date)
        newest = sorted(events, key=lambda event: event["happened_at"], reverse=True)[:MOST]
        rows = [dict(event) | {"happened_at": datetime.fromisoformat(event["happened_at"])} for event in newest]
        workbench.note(visit, "view", "audit")
        return workbench.page(visit, "audit.html.j2", events=rows, count=len(events), named=NAMED)

    return router
