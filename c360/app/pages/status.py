"""The status at a glance: days, feeds, runs and models, as published."""

from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import Response

from c360.app.workbench import Visit, Workbench
from c360.reports import Query, Row

_PARTS = {
    "feeds": """
        select feed, channel, last_cutoff_date, last_business_date, days_since_delivery from ops.freshness
        order by days_since_delivery desc nulls first, feed
    """,
    "deliveries": """
        select outcome, count(*) as delivery_count from ops.deliveries
        where cutoff_date = (select max(cutoff_date) from ops.deliveries) group by outcome order by outcome
    """,
    "runs": """
        select step, status, started_at, duration_seconds, error from ops.runs
        where business_date = (select max(business_date) from ops.runs)
        order by case when status = 'failed' then 0 else 1 end, started_at desc, step
    """,
    "models": """
        select task, measure, feature, measured_date, value, threshold from ops.model_monitoring
        where is_alert and as_of_date = (select max(as_of_date) from ops.model_monitoring)
        order by task, measure, feature
    """,
}


def routes(workbench: Workbench) -> APIRouter:
    """The status."""
    router = APIRouter()

    @router.get("/status")
    def page(visit: Annotated[Visit, workbench.may("status", "status:read")]) -> Response:
        with workbench.reading.shown(visit.shown.publish_id) as shown:
            parts = read_status(shown.query)
        workbench.note(visit, "view", "status")
        return workbench.page(visit, "status.html.j2", parts=parts, publish_id=visit.shown.publish_id)

    return router


def read_status(query: Query) -> dict[str, list[Row]]:
    """The parts of the page, by name."""
    return {name: query(sql, ()).to_pylist() for name, sql in _PARTS.items()}
