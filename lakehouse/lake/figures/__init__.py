"""What every whole publish showed of the bank's main figures, and which deliveries came before it."""

from lakehouse.lake.figures.causes import causes_since_publish
from lakehouse.lake.figures.gathering import Gathered, gather
from lakehouse.lake.figures.records import Cause, Key
from lakehouse.lake.figures.writing import write_figures

__all__ = [
    "Cause",
    "Gathered",
    "Key",
    "causes_since_publish",
    "gather",
    "write_figures",
]
