"""The lake: immutable files that appear by one atomic rename, and the pin, the list of deliveries that a run reads."""

from lakehouse.lake.deliveries import Outcome, Pin, PinnedDelivery, pin, pin_of, read_outcomes, write_outcome
from lakehouse.lake.files import appearing, appearing_folder, write_json
from lakehouse.lake.places import (
    IntradayFile,
    change_points_path,
    current_files,
    intraday_files,
    known_path,
    network_path,
    review_file,
    segments_path,
    xref_file,
)

__all__ = [
    "IntradayFile",
    "Outcome",
    "Pin",
    "PinnedDelivery",
    "appearing",
    "appearing_folder",
    "change_points_path",
    "current_files",
    "intraday_files",
    "known_path",
    "network_path",
    "pin",
    "pin_of",
    "read_outcomes",
    "review_file",
    "segments_path",
    "write_json",
    "write_outcome",
    "xref_file",
]
