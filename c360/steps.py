"""A step of a run: timed, recorded in the lake and, where a catalogue listens, told to it."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from datetime import date

from lakehouse.collector import seldom_collecting
from lakehouse.lake.runs import Detail, recorded
from lakehouse.settings import Settings

LISTENS = "OPENLINEAGE_"  # variables by which the client of OpenLineage is told where events go


@contextmanager
def step(settings: Settings, run_id: str, name: str, business_date: date) -> Generator[Detail]:
    """Record how the block ends, whatever comes of it; the block may fill the yielded detail."""
    try:
        with seldom_collecting(), recorded(settings, run_id, name, business_date) as detail:
            yield detail
    finally:
        if any(variable.startswith(LISTENS) for variable in os.environ):
            from c360 import openlineage  # it reads dbt's SQL, for which most steps do not wait

            openlineage.tell(settings, run_id, name)
