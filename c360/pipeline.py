"""The steps of a business date: ingest, check, build, score, network, serve. DAG tasks and ``c360 run`` call them."""

import os
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime

import ml_jobs.scores.scoring
from c360 import audit, four_eyes
from c360.access import load_rights
from c360.elements import describe
from c360.intake import ingest
from c360.outbound import activate, alert
from c360.progress import stage_line
from c360.receipts import keep_receipts, prepare_receipts
from c360.steps import step
from c360.telemetry import metrics
from expectations import gates
from expectations.marts_profile import ExpectedScore
from lakehouse import ingestion, lake, tags, warehouse
from lakehouse.contracts import CHANNELS, load_deployment
from lakehouse.errors import Stop
from lakehouse.identity import link, unbelieved
from lakehouse.lake import Pin
from lakehouse.lake.audit import seal
from lakehouse.lake.dates import as_of_grid, built_dates, landed_dates
from lakehouse.lake.figures import causes_since_publish
from lakehouse.lake.integrity import require_intact
from lakehouse.lake.model_files import Known, abstention_path
from lakehouse.lake.running import part
from lakehouse.lake.runs import Detail, new_run_id, read_records, warnings_of
from lakehouse.settings import Settings
from lakehouse.warehouse import seeds
from lakehouse.warehouse.changes import BuildState, as_of_dates_to_build, dirty_from
from ml_jobs.derived.network import write_network
from ml_jobs.scores.data import count_customers
from ml_jobs.task_file import load_tasks

# Rows that tell an event again; the first one counts.
REPEATS = """
    select kept_delivery, kept_row, dropped_delivery, dropped_row
    from build_intermediate.int_ops__repeated_events
    where valid_to is null
"""


class NotReady(Stop):
    """A required feed is missing: the day stops, and nothing is published."""


def check_delivered(settings: Settings, business_date: date, channels: Iterable[str], run_id: str) -> None:
    """The gate landing -> raw: every required feed is there, and the deliveries meet their expectations.

    Raises
    ------
    NotReady
        If a required feed of the channels has no loaded delivery for a business date that is still to be built.
    expectations.gates.GateFailed
        If a critical expectation is not met.
    lakehouse.ingestion.Disagreement
        If deliveries of the channels do not fit each other; `build` asks once more, across channels.
    lakehouse.lake.integrity.Tampered
        If a file of the lake is not what ingestion wrote: nothing is read of it.
    """
    channels = tuple(channels)
    with step(settings, run_id, "check_" + "_".join(channels), business_date) as detail:
        state = warehouse.read_state(settings)
        _require_feeds(settings, business_date, channels, state)
        pin = _intact_pin(settings, business_date)
        with _counted(detail):
            checked = gates.check_raw(settings, pin, channels)
        doubts = ingestion.check_agreement(settings, pin, state.deliveries if state else {}, channels)
        detail.update(_summary(checked, doubts))


def build(settings: Settings, business_date: date, run_id: str) -> date:
    """Bring marts, features and labels up to the business date, or, for an earlier one, from it forward.

    Returns
    -------
    date
        The business date as of which the build engine stands.
    """
    with step(settings, run_id, "build", business_date) as detail, warehouse.exclusive(settings):
        seeds.require_currency(load_deployment(settings.deployment).currency)
        state = warehouse.read_state(settings)
        if state and state.business_date not in built_dates(lake.pin(settings.lake, state.business_date)):
            warehouse.drop_build(settings)  # its last delivery was retracted: there is no such business date any more
            state = None
        target = max(business_date, state.business_date) if state else business_date
        _require_feeds(settings, target, CHANNELS, state)
        pin = _intact_pin(settings, target)
        four_eyes.require_signed_rules(settings)
        audit.note_rules(settings, run_id)
        built = state.deliveries if state else {}
        warnings = ingestion.check_agreement(settings, pin, built, CHANNELS)
        detail["warnings"] = warnings
        part("records are joined to customers")
        xref = link(settings, pin)
        warnings += unbelieved(xref)
        project = warehouse.project_version()
        if state and state.project != project:  # a new model, column or threshold holds for all of history
            warehouse.drop_build(settings)
            state = None
        warehouse.attach(settings, pin, xref)
        variables = _variables(
            settings,
            pin,
            dirty_from(state, pin, business_date),
            as_of_dates_to_build(state, pin, business_date, as_of_grid(pin)),
        )
        detail.update(variables)
        warehouse.begin_build(settings)
        # views and seeds stand until the project changes
        selection = "tag:marts" if state else "tag:staging tag:marts"
        warehouse.run_dbt(settings, selection, variables, without="tag:serving")
        warnings += ingestion.check_repeats(settings, pin, built, warehouse.query(settings, REPEATS))
        warehouse.write_state(settings, warehouse.BuildState.of(pin, xref, project))
        return target


def score(settings: Settings, business_date: date, run_id: str) -> None:
    """Score every task for the business date, and for the built dates that have no scores yet."""
    with step(settings, run_id, "score", business_date) as detail:
        built = warehouse.built_state(settings).business_date
        detail.update(_score(settings, built, business_date) | _derive(settings, built))


def retrain(settings: Settings, business_date: date, run_id: str) -> None:
    """Train the challengers that the business date's monitoring calls for, and decide which model scores from then on.

    If this step does not run, scoring of the next date does it, with an equal result.
    """
    from ml_jobs.scores.promotion import retrain as retrained

    with step(settings, run_id, "retrain", business_date) as detail:
        detail |= {task: why for task in load_tasks() if (why := retrained(settings, task, business_date))}


def network(settings: Settings, business_date: date, run_id: str) -> None:
    """Compute every customer's place in the network of payments, as the build engine stands."""
    with step(settings, run_id, "network", business_date) as detail:
        pin = lake.pin(settings.lake, warehouse.built_state(settings).business_date)
        detail["file"] = write_network(settings, pin).name


def serve(settings: Settings, business_date: date, run_id: str) -> None:
    """Build what readers see, check it, and publish it; if the gate fails, readers keep yesterday's tables."""
    with step(settings, run_id, "serve", business_date) as detail, warehouse.exclusive(settings):
        keep_receipts(settings)  # of a run that was killed after its publish
        seal(settings.lake, run_id)
        pin, state, tagged = _build_serving(settings)
        with warehouse.reading(settings):
            scores = expected_scores(settings, pin)
            misfits = (f"tag {tag['tag']}: {tag['problem']}" for tag in tagged if tag["problem"])
            with _counted(detail):
                said = _summary(gates.check_marts(settings, state.business_date, scores), misfits)
            detail.update(said)
            detail["tag_sizes"] = _tag_sizes(settings)
            prepare_receipts(settings, run_id, pin, state.project)
        levels = warehouse.read_levels(settings)
        causes = causes_since_publish(settings.lake, pin)
        publish_id = warehouse.publish(
            settings, state.business_date, run_id, rights=load_rights(settings), levels=levels
        )
        warehouse.record_publish(settings, publish_id, run_id, pin, state.project)
        warehouse.record_figures(settings, publish_id, pin.business_date, causes)
        keep_receipts(settings)
        detail["warnings"] = [*said["warnings"], *audit.close(settings, run_id)]
    if metrics.is_on():
        metrics.tell_published(settings)


def rehearse(settings: Settings, business_date: date, progress: Callable[[str], None]) -> None:
    """Build all that readers would see of a published date, once more and as a run does; nothing is judged or shown."""
    run_id = new_run_id(business_date)
    for do in (build, score, network):
        progress(do.__name__)
        do(settings, business_date, run_id)
    progress("serve")
    with step(settings, run_id, "serve", business_date), warehouse.exclusive(settings):
        _build_serving(settings)


def _build_serving(settings: Settings) -> tuple[Pin, warehouse.BuildState, list[tags.Rendered]]:
    """Build what readers see, as the build engine stands; with it, what people define the active tags by."""
    state = warehouse.built_state(settings)
    # A date may have been built since `score` and `network`: it is served, so it needs their files, too.
    _score(settings, state.business_date)
    _derive(settings, state.business_date)
    pin = lake.pin(settings.lake, state.business_date)
    write_network(settings, pin)
    variables = _variables(settings, pin)
    warehouse.attach(settings, pin, settings.lake / state.identity, describe(settings, variables))
    tagged = _tag_conditions(settings, pin)
    warehouse.run_dbt(settings, "tag:serving", variables | {"tag_conditions": tagged})
    return pin, state, tagged


def expected_scores(settings: Settings, pin: Pin) -> list[ExpectedScore]:
    """What each task of the bank must have scored for the pin's business date."""
    known = Known.of(pin)
    expected = []
    for name, task in load_tasks().items():
        is_abstained = abstention_path(settings, name, known).exists()
        expected.append(
            ExpectedScore(
                score=name,
                horizon_days=task.horizons[0] if task.horizons else task.horizon_days,
                is_abstained=is_abstained,
                row_count=0 if is_abstained else count_customers(settings, task, pin.business_date),
            )
        )
    return expected


def publish_ops(settings: Settings, business_date: date, run_id: str) -> None:
    """After a failure: publish ``ops``, which shows readers what happened, and leave every other table as it is."""
    with warehouse.exclusive(settings):
        state = warehouse.read_state(settings)
        if state is None:
            return  # readers have nothing yet; `c360 status` reads the failure from the lake
        keep_receipts(settings)
        pin = lake.pin(settings.lake, max(business_date, state.business_date))
        variables = _variables(settings, pin)
        seal(settings.lake, run_id)
        warehouse.attach(settings, pin, settings.lake / state.identity, describe(settings, variables))
        warehouse.run_dbt(settings, "path:models/ops", variables)
        levels = warehouse.read_levels(settings)
        warehouse.publish(settings, pin.business_date, run_id, ("ops",), load_rights(settings), levels)
    if metrics.is_on():
        metrics.tell_published(settings)


def run(
    settings: Settings,
    first: date | None = None,
    last: date | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> list[date]:
    """Run every business date from ``first`` to ``last``, in one process and without a scheduler.

    By default from the first date that is not published yet to the last that has landed.

    Returns
    -------
    list of date
        The dates that were run.

    Raises
    ------
    NotReady, expectations.gates.GateFailed, lakehouse.warehouse.DbtFailed
        From the first date that fails; its failure is published in ``ops``.
    Stop
        If all dates are published and the changes, or an alert, did not reach a target.
    """
    dates = dates_to_run(settings, first, last)
    run_id = ""
    for business_date in dates:
        run_id = new_run_id(business_date)
        run_date(settings, business_date, run_id, progress)
    _send_all(settings, dates[-1], run_id, progress)
    return dates


def dates_to_run(settings: Settings, first: date | None, last: date | None) -> list[date]:
    """The landed business dates between ``first`` and ``last``, both included."""
    outcomes = lake.read_outcomes(settings.lake)
    landed = landed_dates(settings.landing, ingestion.dateless(outcomes), outcomes)
    published = warehouse.published_date(settings)
    if first is None and published is not None:
        first = min((day for day in landed if day > published), default=max(landed, default=None))
    dates = [day for day in landed if (first is None or day >= first) and (last is None or day <= last)]
    if not dates:
        raise NotReady(
            f"no delivery in {settings.landing} falls between {first or 'the first'} and {last or 'the last'} "
            "business date: check the folder and the manifests' cutoff_at"
        )
    if last and last > landed[-1]:
        raise NotReady(
            f"no feed has delivered for {last}: the last deliveries in {settings.landing} are of {landed[-1]}"
        )
    return dates


def run_date(settings: Settings, business_date: date, run_id: str, progress: Callable[[str], None]) -> None:
    """All steps of one business date."""
    try:
        progress(stage_line(settings.lake, business_date, "ingest"))
        for outcome in _ingest_all(settings, business_date, run_id):
            progress(f"{business_date} rejected {outcome.delivery_id}: {outcome.reason}")
        said: set[str] = set()
        check_delivered(settings, business_date, CHANNELS, run_id)
        for do in (build, score, network, serve):
            _say_warnings(settings, business_date, run_id, said, progress)
            progress(stage_line(settings.lake, business_date, do.__name__))
            do(settings, business_date, run_id)
        _say_warnings(settings, business_date, run_id, said, progress)
    except Exception as failure:
        try:
            publish_ops(settings, business_date, run_id)
        except Exception as second:  # noqa: BLE001 (the first failure is what is raised)
            failure.add_note(f"nor could ops be published: {second}")
        else:
            _alert_of(failure, settings, run_id)
        raise


def _ingest_all(settings: Settings, business_date: date, run_id: str) -> list[lake.Outcome]:
    """Take in what every feed has delivered; what was not loaded."""
    pool = ThreadPoolExecutor(max_workers=os.cpu_count())  # DuckDB works outside Python's lock
    try:
        feeds = load_deployment(settings.deployment).feeds
        jobs = [pool.submit(ingest, settings, feed, business_date, run_id) for feed in feeds]
        return [outcome for job in jobs for outcome in job.result() if not outcome.is_loaded]
    finally:
        pool.shutdown(cancel_futures=True)  # after Ctrl-C or a fault, those that have not begun do not


def _alert_of(failure: Exception, settings: Settings, run_id: str) -> None:
    """Tell of a failed day, which readers see in ops; a note says if that fails, too."""
    if not load_deployment(settings.deployment).alerts:
        return
    try:
        alert(settings, datetime.now(UTC), run_id=run_id)
    except Exception as second:  # noqa: BLE001 (the first failure is what is raised)
        failure.add_note(f"nor could anybody be told: {second}")


def _send_all(settings: Settings, business_date: date, run_id: str, progress: Callable[[str], None]) -> None:
    """Send what is published to every target of the deployment, then its alerts.

    A target that fails does not keep the others waiting.
    """
    failures: list[Stop] = []
    deployment = load_deployment(settings.deployment)
    for name in deployment.activations:
        try:
            sent = activate(settings, name, business_date, run_id)
            progress(f"{business_date} {name}: {sent.delivered} changes delivered, {sent.refused} refused")
        except Stop as failure:
            progress(f"{business_date} {name}: {failure}")
            failures.append(failure)
    if deployment.alerts:
        try:
            told = alert(settings, datetime.now(UTC), run_id=run_id)
            progress(f"{business_date} alerts: {told.sent} messages sent, {told.held} wait for quiet hours to end")
        except Stop as failure:
            progress(f"{business_date} alerts: {failure}")
            failures.append(failure)
    if failures:
        raise failures[0]


def _say_warnings(
    settings: Settings, business_date: date, run_id: str, said: set[str], progress: Callable[[str], None]
) -> None:
    """What the steps of a run noted beside their work, each once: a warning that nobody reads is silence."""
    for record in read_records(settings.lake, run_id):
        for warning in warnings_of(record):
            if warning not in said:
                said.add(warning)
                progress(f"{business_date} warning: {warning}")


def _intact_pin(settings: Settings, business_date: date) -> Pin:
    """What is known by a date, once every file of it is what ingestion wrote."""
    pin = lake.pin(settings.lake, business_date)
    require_intact(settings, pin)
    return pin


def _require_feeds(
    settings: Settings, business_date: date, channels: tuple[str, ...], state: BuildState | None
) -> None:
    outcomes = lake.read_outcomes(settings.lake)
    dates = built_dates(lake.pin_of(outcomes, business_date))
    unbuilt = [day for day in dates if state is None or day > state.business_date]
    deployment = load_deployment(settings.deployment)
    if silent := ingestion.silent_days(deployment, settings.lake, dates, min(unbuilt, default=business_date)):
        days = ", ".join(map(str, silent))
        raise NotReady(
            f"business date {business_date}: no feed has delivered for {days}; nothing is published",
            f"deliver to {settings.landing}, or, if there was nothing to deliver, c360 accept DAY --by NAME --why "
            f"REASON for each; leave weekdays without deliveries out of delivery_days in {settings.deployment.name}",
        )
    for day in sorted({*unbuilt, business_date}):
        if missing := ingestion.missing_feeds(deployment, lake.pin_of(outcomes, day), channels):
            raise NotReady(
                f"business date {day}: required feed {', '.join(missing)} has no accepted delivery; nothing is "
                "published",
                f"deliver it to {settings.landing} and run {business_date} again",
            )


def _score(settings: Settings, built: date, first: date = date.max) -> dict[str, str]:
    """Score the dates up to the built one from the first on, and those without scores; the outcome by task and date."""
    outcomes = lake.read_outcomes(settings.lake)
    due: list[Known] = []
    for day in reversed(built_dates(lake.pin_of(outcomes, built))):
        known = Known.of(lake.pin_of(outcomes, day))
        if day < first and ml_jobs.scores.scoring.is_scored(settings, known):
            break  # dates are scored in order: those before it have scores, too
        due.append(known)
    return {
        f"{task} {known.business_date}": str(outcome)
        for known in reversed(due)
        for task, outcome in ml_jobs.scores.scoring.score_all(settings, known).items()
    }


def _derive(settings: Settings, built: date) -> dict[str, str]:
    """Write change-points, groups of the long tail and forecasts, as the build engine stands; the outcome of each."""
    from ml_jobs.derived.change_points import write_change_points
    from ml_jobs.derived.forecasts import write_forecasts  # scikit-learn takes seconds to import
    from ml_jobs.derived.segments import write_segments

    pin = lake.pin(settings.lake, built)
    part("change points")
    made = {"change_points": write_change_points(settings, pin).name}
    part("groups of customers")
    made["segments"] = str(write_segments(settings, pin))
    part("forecasts")
    made["forecasts"] = str(write_forecasts(settings, pin))
    return made


def _summary(result: gates.GateResult, doubts: Iterable[str] = ()) -> dict:
    warnings = [*(str(finding) for finding in result.warnings), *doubts]
    return {"checks": result.checks, "gate": _tally(result), "warnings": warnings}


@contextmanager
def _counted(detail: Detail) -> Generator[None]:
    """A gate; where it fails, the step's record has how many of its expectations did."""
    try:
        yield
    except gates.GateFailed as failure:
        detail["gate"] = _tally(failure.result)
        raise


def _tally(result: gates.GateResult) -> dict[str, int]:
    """Expectations of a gate, by how they came out."""
    warned, failed = len(result.warnings), len(result.failures)
    return {"passed": result.checks - warned - failed, "warned": warned, "failed": failed}


def _tag_conditions(settings: Settings, pin: Pin) -> list[tags.Rendered]:
    """What people define the active tags by, as the build engine stands, for dbt."""
    active = warehouse.query(
        settings,
        "select tag, matching, conditions from build_intermediate.int_customer__tag_versions "
        "where state = 'active' order by tag",
    ).to_pylist()
    return tags.variables(active, pin.business_date, settings.target)


def _tag_sizes(settings: Settings) -> dict[str, list[int]]:
    """Members of each active tag, and how many of them may be contacted: how it grows is read from the records."""
    rows = warehouse.query(
        settings,
        "select tag, member_count, contactable_count from build_marts.tags where member_count is not null order by tag",
    ).to_pylist()
    return {row["tag"]: [row["member_count"], row["contactable_count"]] for row in rows}


def _variables(
    settings: Settings, pin: Pin, from_date: date | None = None, as_of_dates: Iterable[date] | None = None
) -> dict:
    """dbt's variables; by default those of a day on top."""
    deployment = load_deployment(settings.deployment)
    return {
        "business_date": str(pin.business_date),
        "from_date": str(from_date or pin.business_date),
        "as_of_dates": [str(day) for day in as_of_dates or (pin.business_date,)],
        "currency": deployment.currency,
        "reconciliation": deployment.reconciliation,
    }
