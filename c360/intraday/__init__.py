"""The intraday road: micro-batches of events become what readers see within seconds, beside the daily batch."""

from c360.intraday.loop import LoopRuns, NothingPublished, run
from c360.intraday.status import read_status

__all__ = ["LoopRuns", "NothingPublished", "read_status", "run"]
