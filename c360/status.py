"""The state of an installation, read from the lake and the stores; nothing is written."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from typing import Any

from c360.progress import step_said
from lakehouse import warehouse
from lakehouse.lake import read_outcomes
from lakehouse.lake.runs import Record, read_records, warnings_of
from lakehouse.language import ENGLISH, Voice
from lakehouse.settings import Settings

LAST_STEPS = 12
ADJUSTMENTS = "ops.adjustments"
_GATE = re.compile(r"\bgate (?P<gate>\w+) for ")


@dataclass(frozen=True)
class Failure:
    """A step that failed and has not succeeded since; the error says what to do."""

    business_date: str
    step: str
    gate: str | None  # of expectations, where one was not met
    error: str
    remedy: str


@dataclass(frozen=True)
class Status:
    """What is built, what is published, deliveries by outcome, and the newest steps of runs."""

    target: str
    built: date | str | None  # the business date, or the run that is building
    published: date | None
    deliveries: dict[str, int]  # outcome -> count
    rejected: dict[str, str | None]  # delivery -> reason
    failed: list[Failure]  # the newest last
    warnings: dict[str, list[str]]  # step of the newest run -> what it said beside its work
    adjustments: dict[str, int]  # by hand, as published: counted, of these standing, refused -> count
    steps: list[dict[str, Any]]  # fields of run records, the newest last


def read_status(settings: Settings) -> Status:
    """The status of the installation, also while a run is building."""
    built: date | str | None
    try:
        state = warehouse.read_state(settings, wait=1)
        built = state.business_date if state else None
    except warehouse.EngineLocked as busy:
        built = str(busy)
    outcomes = read_outcomes(settings.lake)
    records = read_records(settings.lake)
    newest_run = [record for record in records if record["run_id"] == records[-1]["run_id"]]
    return Status(
        target=settings.target,
        built=built,
        published=warehouse.published_date(settings),
        deliveries=dict(Counter(outcome.outcome for outcome in outcomes)),
        rejected={outcome.delivery_id: outcome.reason for outcome in outcomes if not outcome.is_loaded},
        failed=_failures(records),
        warnings={record["step"]: said for record in newest_run if (said := warnings_of(record))},
        adjustments=_adjustments(settings),
        steps=[
            {"business_date": r["business_date"], "step": r["step"], "status": r["status"]}
            | {"ended_at": r["ended_at"], "error": r["error"]}
            for r in records[-LAST_STEPS:]
        ],
    )


def lines_of(status: Status, say: Voice = ENGLISH) -> Iterator[tuple[str, str]]:
    """The status for people: a name and a text, line by line, what failed first; errors and warnings are English."""
    for failure in status.failed:
        gate = f" (gate {failure.gate})" if failure.gate else ""
        yield say("failed"), f"{failure.business_date} {failure.step}{gate}: {failure.error}"
        yield f"  {say('what to do')}", failure.remedy
    yield say("target"), status.target
    yield say("built"), str(status.built or say("nothing yet"))
    yield say("published"), str(status.published or say("nothing yet"))
    counts = [f"{count:,} {say.code(outcome)}" for outcome, count in status.deliveries.items()]
    yield say("deliveries so far"), say.listed(counts) or say("none")
    if any(status.adjustments.values()):
        yield (
            say("manual adjustments"),
            say(
                "{standing} stand, {refused} refused; see {table}",
                standing=status.adjustments["standing"],
                refused=status.adjustments["refused"],
                table=ADJUSTMENTS,
            ),
        )
    for delivery, reason in status.rejected.items():
        yield say("not taken in"), f"{delivery}: {reason}"
    for step, said in status.warnings.items():
        for warning in said:
            yield say("warning of {step}", step=step_said(step, say)), warning


def steps_of(status: Status, zone: tzinfo, say: Voice = ENGLISH) -> Iterator[tuple[str, str, str, str]]:
    """The newest steps for people: when each ended in the bank's time, business date, name and how it ended."""
    for step in status.steps:
        ended = datetime.fromisoformat(step["ended_at"]).replace(tzinfo=UTC).astimezone(zone)
        yield (
            f"{ended:%Y-%m-%d %H:%M:%S}",
            step["business_date"],
            step_said(step["step"], say),
            say.code(step["status"]),
        )


def _adjustments(settings: Settings) -> dict[str, int]:
    """How many manual adjustments readers see; none of a store that was published before there were any."""
    if ADJUSTMENTS not in warehouse.published_snapshot(settings).publications:
        return {}
    (counts,) = warehouse.query_serving(
        settings,
        "select count(case when is_counted then 1 end) as counted, count(case when is_counted "
        "and reverses_adjustment_id is null and reversed_by_adjustment_id is null then 1 end) as standing, "
        f"count(case when not is_counted then 1 end) as refused from {ADJUSTMENTS}",
    ).to_pylist()
    return counts


def _failures(records: Sequence[Record]) -> list[Failure]:
    """Steps whose newest record of a business date failed, unless a later run of that date or after it was served."""
    newest = {(record["business_date"], record["step"]): record for record in records}
    served = [record for record in records if record["step"] == "serve" and record["status"] == "success"]
    return [
        _failure(record)
        for record in newest.values()
        if record["status"] == "failed"
        and not any(
            later["business_date"] >= record["business_date"] and later["ended_at"] > record["ended_at"]
            for later in served
        )
    ]


def _failure(record: Record) -> Failure:
    error = record["error"] or ""
    gate = _GATE.search(error)
    again = f"c360 run --from {record['business_date']}"
    remedy = record.get("remedy", "")
    return Failure(
        business_date=record["business_date"],
        step=record["step"],
        gate=gate["gate"] if gate else None,
        error=error.removesuffix(f": {remedy}") if remedy else error,
        remedy=f"{remedy.rstrip('.')}; then {again}" if remedy else again,
    )
