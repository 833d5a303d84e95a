"""The status at a glance: what is at work now; days, feeds, runs and models, as published."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import Response

from c360.api.prepared import Prepared
from c360.app.workbench import Visit, Workbench
from c360.progress import clock, going_on, step_said
from c360.reports import Row
from lakehouse.language import Voice
from ml_jobs.task_file import load_tasks, phrases, task_said

FOLLOW, EVERY = "follow", 10  # parameter of the address; seconds

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
    load_tasks()  # who comes first does not wait for it

    @router.get("/status")
    def page(visit: Annotated[Visit, workbench.may("status", "status:read")]) -> Response:
        parts = read_status(visit.shown.prepared)
        follows = FOLLOW in visit.asked
        if not follows:  # who follows has opened the page before: the same look is not written down every ten seconds
            workbench.note(visit, "view", "status")
        now = datetime.now(UTC)
        going = going_on(workbench.settings.lake, now)
        content = {"parts": parts, "going": going, "follows": follows, "clock": clock, "now": now}
        content |= {"step_said": step_said, "task_said": task_said, "feature_said": feature_said}
        answer = workbench.page(visit, "status.html.j2", publish_id=visit.shown.publish_id, **content)
        if follows:
            answer.headers["refresh"] = str(EVERY)
        return answer

    return router


def feature_said(task: str, feature: str, say: Voice) -> str:
    """What a feature is, as reasons say it."""
    found = load_tasks().get(task)
    phrase = phrases(found).get(feature) if found else None
    return phrase.said(say) if phrase else say.code(feature)


def statements() -> dict[str, str]:
    """The SQL of each part."""
    return {f"status.{name}": sql for name, sql in _PARTS.items()}


def read_status(prepared: Prepared) -> dict[str, list[Row]]:
    """The parts of the page, by name."""
    return {name: prepared.rows(f"status.{name}") for name in _PARTS}
