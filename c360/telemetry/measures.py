"""What is measured: each metric once, with name, unit and labels, and the points that a record or a store gives.

A point is the latest value (a gauge): steps are processes of their own, so a sum would begin anew in each. No label has
a run or a customer.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import TypedDict

from lakehouse.lake.runs import Record


@dataclass(frozen=True)
class Measure:
    """A metric; units are those of UCUM."""

    name: str
    unit: str
    description: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Point:
    """A value of a metric."""

    measure: Measure
    value: float
    attributes: Mapping[str, str] = field(default_factory=dict)


class Feed(TypedDict):
    """A row of ``ops.freshness``."""

    feed: str
    days_since_delivery: int
    latency_days: int | None


STEP_DURATION = Measure("c360.step.duration", "s", "How long a step took", ("c360.step", "c360.outcome"))
STEP_USUAL = Measure(
    "c360.step.duration.usual", "s", "Median of its last five that succeeded, before this one", ("c360.step",)
)
STEP_RATIO = Measure(
    "c360.step.duration.ratio", "1", "How long a step took, by how long it usually takes", ("c360.step",)
)
STEP_FAILED = Measure("c360.step.failed", "1", "1 if the step failed, else 0", ("c360.step",))
STEP_WARNINGS = Measure("c360.step.warnings", "{warning}", "What a step said beside its work", ("c360.step",))
DELIVERIES = Measure(
    "c360.deliveries",
    "{delivery}",
    "Deliveries that a step took in, by what became of them",
    ("c360.feed", "c360.outcome"),
)
ROWS = Measure(
    "c360.delivery.rows", "{row}", "Rows of these deliveries: loaded or quarantined", ("c360.feed", "c360.outcome")
)
CHECKS = Measure(
    "c360.gate.checks", "{check}", "Expectations of a gate: passed, warned or failed", ("c360.gate", "c360.outcome")
)
FEED_AGE = Measure(
    "c360.feed.age", "d", "Days from the cut-off of a feed's newest delivery to the published date", ("c360.feed",)
)
FEED_LATE = Measure("c360.feed.late", "1", "1 if that is more than its contract allows, else 0", ("c360.feed",))
PUBLISHED = Measure("c360.published.time", "s", "Midnight (UTC) of the published business date, as Unix time")
MEASURES = (
    STEP_DURATION,
    STEP_USUAL,
    STEP_RATIO,
    STEP_FAILED,
    STEP_WARNINGS,
    DELIVERIES,
    ROWS,
    CHECKS,
    FEED_AGE,
    FEED_LATE,
    PUBLISHED,
)


def of_step(record: Record, usual_seconds: float | None) -> Iterator[Point]:
    """What the record of a step says.

    Parameters
    ----------
    usual_seconds : float, optional
        How long the step took lately; unknown the first time.
    """
    step = {"c360.step": record["step"]}
    began, ended = (datetime.fromisoformat(record[name]) for name in ("started_at", "ended_at"))
    seconds = (ended - began).total_seconds()
    yield Point(STEP_DURATION, seconds, step | {"c360.outcome": record["status"]})
    if usual_seconds:
        yield Point(STEP_USUAL, usual_seconds, step)
        yield Point(STEP_RATIO, seconds / usual_seconds, step)
    yield Point(STEP_FAILED, float(record["status"] == "failed"), step)
    detail = record["detail"]
    if isinstance(warnings := detail.get("warnings"), list):
        yield Point(STEP_WARNINGS, len(warnings), step)
    yield from _counted(CHECKS, "c360.gate", record["step"], detail.get("gate"))
    feed = record["step"].removeprefix("ingest_")
    yield from _counted(DELIVERIES, "c360.feed", feed, detail.get("outcomes"))
    yield from _counted(ROWS, "c360.feed", feed, detail.get("rows"))


def of_store(business_date: date, feeds: list[Feed]) -> Iterator[Point]:
    """What readers have, by ``ops.freshness``."""
    yield Point(PUBLISHED, datetime.combine(business_date, time(), UTC).timestamp())
    for row in feeds:
        feed, age, allowed = {"c360.feed": row["feed"]}, row["days_since_delivery"], row["latency_days"]
        yield Point(FEED_AGE, age, feed)
        if allowed is not None:
            yield Point(FEED_LATE, float(age > allowed), feed)


def _counted(measure: Measure, label: str, name: str, counts: object) -> Iterator[Point]:
    """A point for each outcome that was counted."""
    if isinstance(counts, Mapping):
        for outcome, count in counts.items():
            yield Point(measure, float(count), {label: name, "c360.outcome": str(outcome)})
