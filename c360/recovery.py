"""A backup comes back as an installation that answers: files, erasures since, the store, and the time it took."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from c360 import pipeline
from lakehouse import erasure, warehouse
from lakehouse.backup.restoring import restore
from lakehouse.backup.stages import Stage, Stopwatch
from lakehouse.lake.runs import new_run_id
from lakehouse.settings import Settings

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Recovery:
    """What came back, and after how many seconds."""

    place: str
    backup: int
    business_date: date | None  # that readers see; None: nothing had been published
    erasures_replayed: int
    readable_seconds: float  # from the beginning until readers can read
    stages: list[Stage]


def recover(settings: Settings, folder: Path, into: Path, day: date | None, progress: Progress) -> Recovery:
    """Restore below ``into``; build and publish where the backup has no store for the date.

    Parameters
    ----------
    day : date, optional
        Business date that readers see then; by default the backup's own.

    Raises
    ------
    Stop
        If there is no such backup, something of it is lost or damaged, ``into`` or the database is not empty, or a key
        is lacking.
    """
    watch = Stopwatch()
    progress(f"{into}: files are restored")
    done = restore(settings, folder, into, day, watch)
    shown = day or done.backup.business_date
    if not done.has_store and shown:
        run_id = new_run_id(shown)
        for step in (pipeline.build, pipeline.score, pipeline.network, pipeline.serve):
            progress(f"{shown} {step.__name__}")
            with watch.stage(step.__name__) as stage:
                step(done.settings, shown, run_id)
                stage.rows = warehouse.published_rows(done.settings) if step is pipeline.serve else None
    for replayed in done.replayed:
        erasure.finish(done.settings, replayed, None)
    return Recovery(
        place=str(into.resolve()),
        backup=done.backup.number,
        business_date=warehouse.published_date(done.settings),
        erasures_replayed=len(done.replayed),
        readable_seconds=watch.seconds,
        stages=watch.stages,
    )
