"""A step of a run: timed, logged, recorded in the lake and told to a catalogue and a collector, where they listen."""

import logging
import os
from collections.abc import Generator
from contextlib import contextmanager
from datetime import date

from c360.telemetry import metrics
from c360.telemetry.logs import about
from lakehouse.collector import seldom_collecting
from lakehouse.errors import Stop, stop_of, without_values
from lakehouse.lake.running import usual_seconds
from lakehouse.lake.runs import Detail, recorded
from lakehouse.settings import Settings

LISTENS = "OPENLINEAGE_"  # variables by which the client of OpenLineage is told where events go

log = logging.getLogger(__name__)
log.addHandler(logging.NullHandler())  # a command without JSON logs prints the failure itself, once


@contextmanager
def step(settings: Settings, run_id: str, name: str, business_date: date, feed: str | None = None) -> Generator[Detail]:
    """Record how the block ends, whatever comes of it; the block may fill the yielded detail.

    Parameters
    ----------
    feed : str, optional
        The one feed that it is about; its logs name it.
    """
    usual = usual_seconds(settings.lake, name) if metrics.is_on() else None
    with about(run_id, business_date, name, feed):
        try:
            log.info("step begins")
            # Within, for the record of the step; without, since the record itself may find no room.
            of_the_step = recorded(settings, run_id, name, business_date)
            with _told_what_to_do(), of_the_step as detail, seldom_collecting(), _told_what_to_do():
                yield detail
            log.info("step ended")
        except BaseException as failure:
            log.error("step failed", extra={"error": without_values(failure)})
            raise
        finally:
            if any(variable.startswith(LISTENS) for variable in os.environ):
                from c360 import openlineage  # it reads dbt's SQL, for which most steps do not wait

                openlineage.tell(settings, run_id, name)
            if metrics.is_on():
                metrics.tell_step(settings, run_id, name, usual)


@contextmanager
def _told_what_to_do() -> Generator[None]:
    """Raise what the machine lacks, or the network, as a `Stop`, which says what to do: it is no fault of the code."""
    try:
        yield
    except Stop:
        raise
    except Exception as failure:
        if stop := stop_of(failure):
            raise stop from failure
        raise
