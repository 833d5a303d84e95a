"""The lake: immutable files that appear by one atomic rename, and the pin, the list of deliveries that a run reads."""

from lakehouse.lake.deliveries import (
    Decision,
    Outcome,
    Pin,
    PinnedDelivery,
    decide,
    is_accepted,
    pin,
    pin_of,
    read_outcomes,
    write_outcome,
)
from lakehouse.lake.files import appearing, appearing_folder, write_json
from lakehouse.lake.places import (
    FORECASTS,
    IntradayFile,
    current_files,
    intraday_files,
    known_path,
    pinned_path,
    review_file,
    xref_file,
)

__all__ = [
    "FORECASTS",
    "Decision",
    "IntradayFile",
    "Outcome",
    "Pin",
    "PinnedDelivery",
    "appearing",
    "appearing_folder",
    "current_files",
    "decide",
    "intraday_files",
    "is_accepted",
    "known_path",
    "pin",
    "pin_of",
    "pinned_path",
    "read_outcomes",
    "review_file",
    "write_json",
    "write_outcome",
    "xref_file",
]
