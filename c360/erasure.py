"""A person is erased from the lake, from what is built of it, and from what readers see; then it is signed."""

from collections.abc import Callable
from datetime import date

from c360 import pipeline
from lakehouse import erasure, warehouse
from lakehouse.lake.erasures import Erasure
from lakehouse.lake.publishes import read_publish
from lakehouse.lake.runs import new_run_id
from lakehouse.settings import Settings

Progress = Callable[[str], None]


def erase(settings: Settings, key: str, by: str, reason: str, progress: Progress) -> Erasure:
    """Erase the customer to whom a key belongs; a call that was cut short is made again and finishes it.

    Returns
    -------
    Erasure
        The signed record.

    Raises
    ------
    Stop
        If no record has the key, something stands against it, a run is at work, or the new build does not pass.
    """
    begun = erasure.erase_from_lake(settings, key, by, reason, progress)
    return begun if begun.is_done else publish_without(settings, begun, progress)


def publish_without(settings: Settings, begun: Erasure, progress: Progress) -> Erasure:
    """Build and publish the date that readers see once more, from the lake as it is now, and sign the record."""
    day = warehouse.published_date(settings)
    if day is not None:
        _publish(settings, day, progress)
    removed = warehouse.remove_retired(settings)
    progress(f"{removed} files or tables that held earlier publishes are removed or written anew")
    return erasure.finish(settings, begun, read_publish(settings.lake).publish_id if day else None)


def _publish(settings: Settings, day: date, progress: Progress) -> None:
    run_id = new_run_id(day)
    for do in (pipeline.build, pipeline.score, pipeline.network, pipeline.serve):
        progress(f"{day} {do.__name__}")
        do(settings, day, run_id)
