"""A rehearsal: the published date is built once more on a copy, with one decision more, and compared with what is.

It is exact because nothing is estimated: linkage, marts, features, scores and the worklist of the copy come from the
code of a run. The lake is a folder of links, since its files never change; what the copy writes goes away with it.
"""

import os
import shutil
from collections.abc import Callable, Collection, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from time import monotonic

from filelock import FileLock, Timeout

from c360 import pipeline
from c360.desk import comparison
from c360.desk.comparison import Figure, Move, TableChange
from c360.desk.decisions import FEED, KINDS, Names, decisions, names_of, row_of
from c360.steps import LISTENS
from lakehouse import ingestion, lake, warehouse
from lakehouse.contracts import load_deployment
from lakehouse.errors import Stop
from lakehouse.identity import link
from lakehouse.ingestion import additions
from lakehouse.lake.deliveries import outcome_path
from lakehouse.lake.erasures import bring_key
from lakehouse.lake.model_files import Known, promotion_path
from lakehouse.settings import Settings
from lakehouse.warehouse.dbt import target_path
from ml_jobs.task_file import load_tasks

WAIT = 600.0  # seconds for another rehearsal, or for a run, to end
SOME = 50  # figures of others that are listed
STEPS = ("copy", "link", "build", "score", "network", "serve", "compare")
Say = Callable[[str], None]


@dataclass(frozen=True)
class Rehearsal:
    """What a decision on a pair would change, had it been known on the published date."""

    left: str
    right: str
    decision: str
    business_date: date
    pending: int  # decisions on records of these customers that are handed in, and count here, too
    moves: list[Move]
    customers: list[str]  # before or after
    figures: list[Figure]  # of these customers, changed or not
    others: list[Figure]  # that change, of other customers: the first of them
    other_count: int
    other_customers: int
    tables: dict[str, TableChange]
    seconds: float

    @property
    def changed(self) -> list[Figure]:
        """The figures of these customers that change."""
        return [one for one in self.figures if one.is_changed]


def rehearse(settings: Settings, left: str, right: str, decision: str, progress: Say = lambda _: None) -> Rehearsal:
    """Say what a decision would change; nothing but a folder beside the build file is written, and it goes away.

    Raises
    ------
    Stop
        If it is no decision, a party record is not known, or a run or another rehearsal is at work.
    """
    if decision not in KINDS:
        raise Stop(f"{decision} is no decision", f"give one of {', '.join(KINDS)}")
    begun = monotonic()
    load_deployment(settings.deployment).require(FEED)
    with _silent(), _copied(settings, progress) as copy:
        state = warehouse.built_state(copy)
        day, before = state.business_date, copy.lake / state.identity
        if missing := {left, right} - comparison.records_of(before, day):
            raise Stop(f"{min(missing)} is not known", "party records are named cif:..., online:... or lead:...")
        around = comparison.customers_of(before, day, (left, right))
        pending = _pending(settings, before, day, around, names_of(left, right))
        progress("link")
        known = lake.pin(copy.lake, day)
        pin = _hand_in(copy, day, [*pending, (left, right, decision)])
        after = link(copy, pin)
        moved = comparison.moves(before, after, day)
        around |= {key for move in moved for key in (move.before, move.after) if key}
        kept = copy.build.with_name("before.duckdb")
        shutil.copyfile(copy.build, kept)
        if not comparison.is_equal(before, after):
            _keep_models(copy, known, pin)
            pipeline.rehearse(copy, day, progress)
        progress("compare")
        mine, others = comparison.figures(kept, copy.build, day, around)
        return Rehearsal(
            left=left,
            right=right,
            decision=decision,
            business_date=day,
            pending=len(pending),
            moves=moved,
            customers=sorted(around),
            figures=mine,
            others=others[:SOME],
            other_count=len(others),
            other_customers=len({one.customer_key for one in others}),
            tables=comparison.tables(kept, copy.build),
            seconds=round(monotonic() - begun, 1),
        )


@contextmanager
def _copied(settings: Settings, progress: Say) -> Generator[Settings]:
    """The installation as it is published, in a folder beside the build file that only its owner may open."""
    folder = settings.build.with_name(f"{settings.build.stem}.rehearsal")
    lock = FileLock(f"{folder}.lock")
    try:
        lock.acquire(timeout=WAIT)
    except Timeout as error:
        raise Stop("another rehearsal is at work", "try again when it has ended") from error
    with lock:
        shutil.rmtree(folder, ignore_errors=True)  # of one that was killed
        folder.mkdir(mode=0o700)
        try:
            copy = settings.model_copy(
                update={
                    "target": "duckdb",
                    "landing": folder / "landing",
                    "lake": folder / "lake",
                    "build": folder / "build.duckdb",
                    "warehouse": folder / "warehouse.duckdb",
                    "published": folder / "published",
                }
            )
            progress("copy")
            with warehouse.exclusive(settings, WAIT):
                _copy(settings, copy)
            if settings.target != "duckdb":  # its marts lie on a server: they are built from the lake
                pipeline.rehearse(copy, _published_state(settings).business_date, progress)
            yield copy
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _copy(settings: Settings, copy: Settings) -> None:
    """The lake as links, without what came since the publish; of the build engine, everything."""
    state = _published_state(settings)
    copy.landing.mkdir()
    links = shutil.ignore_patterns(".*")  # locks, and what is not whole yet
    shutil.copytree(settings.lake, copy.lake, copy_function=os.symlink, ignore=links)
    bring_key(settings.lake, copy.lake)
    for outcome in lake.read_outcomes(settings.lake):
        is_new = outcome.is_loaded and outcome.delivery_id not in state.deliveries
        if is_new and outcome.cutoff_date <= state.business_date:
            outcome_path(copy.lake, outcome.delivery_id).unlink()
    if settings.target == "duckdb":
        shutil.copyfile(settings.build, copy.build)
        shutil.copytree(target_path(settings), target_path(copy))


def _published_state(settings: Settings) -> warehouse.BuildState:
    """What the build engine holds, if that is what readers see, and the code is what built it."""
    state = warehouse.built_state(settings)
    if warehouse.published_date(settings) != state.business_date:
        raise Stop("the build engine does not hold what is published", "wait until the run has ended, or run again")
    if state.project != warehouse.project_version():
        raise Stop("the models have changed since the last run", "run a business date first (c360 run)")
    (building,) = warehouse.query(settings, "select is_building from raw._state").to_pylist()
    if building["is_building"]:
        raise Stop("the last run was cut short", "run it again (c360 run)")
    return state


def _pending(
    settings: Settings, xref: Path, day: date, customers: Collection[str], pair: Names
) -> list[tuple[str, str, str]]:
    """What is handed in for the days to come and is on records of these customers: it will count as well."""
    records = comparison.records_of(xref, day, customers)
    return [
        (one.left, one.right, one.kind)
        for name, one in sorted(decisions(settings).items())
        if one.day > day and name != pair and records & set(name)
    ]


def _hand_in(copy: Settings, day: date, said: Iterable[tuple[str, str, str]]) -> lake.Pin:
    """Decisions, as one more version of the day's delivery; returns what is known with it."""
    with additions.adding(copy, FEED):
        rows = list(additions.handed_in(copy, FEED).get(str(day), []))
        for left, right, kind in said:
            rows.append(row_of(day, left, right, kind, rows) | {"decided_by": "", "note": ""})
        additions.hand_in(copy, FEED, day, rows)
    ingestion.ingest_feed(copy, FEED, day)
    return lake.pin(copy.lake, day)


def _keep_models(copy: Settings, before: lake.Pin, after: lake.Pin) -> None:
    """On a date that trains models: those of the publish score, as on the next day; its name has the deliveries."""
    known, now = Known.of(before), Known.of(after)
    if known.model_version == now.model_version:
        return
    for task in load_tasks():
        decided = promotion_path(copy, task, known)
        if decided.exists():
            promotion_path(copy, task, now).symlink_to(decided)


@contextmanager
def _silent() -> Generator[None]:
    """No catalogue hears of what is only tried."""
    heard = {name: value for name, value in os.environ.items() if name.startswith(LISTENS)}
    for name in heard:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(heard)
