"""Within the day: micro-batches of events become what readers see within seconds, beside the daily batch."""

from lakehouse.intraday.loop import LoopRuns, NothingPublished, run
from lakehouse.intraday.status import read_status

__all__ = ["LoopRuns", "NothingPublished", "read_status", "run"]
