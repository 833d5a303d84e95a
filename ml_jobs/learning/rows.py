"""Rows of a feature table in memory."""

from dataclasses import dataclass
from datetime import date

import numpy as np

from lakehouse.errors import Stop


@dataclass(frozen=True)
class Rows:
    """Customers at as-of dates, ordered by date and key, so that the same rows always come in the same order."""

    columns: tuple[str, ...]
    customer: np.ndarray  # (n,) text
    as_of_date: np.ndarray  # (n,) datetime64[D]
    values: np.ndarray  # (n, columns) float32, nan where missing
    label: np.ndarray | None  # (n,) 0 or 1
    treated: np.ndarray | None = None  # (n,) 0 or 1, of a task with a treatment

    def column(self, name: str) -> np.ndarray:
        if name not in self.columns:
            raise Stop(f"the feature table has no column {name}: correct the task file or the features model")
        return self.values[:, self.columns.index(name)]

    def between(self, first: date, last: date) -> "Rows":
        """The rows of these as-of dates, both included; views, not copies."""
        keep = slice(
            np.searchsorted(self.as_of_date, np.datetime64(first)),
            np.searchsorted(self.as_of_date, np.datetime64(last), side="right"),
        )
        return Rows(
            self.columns,
            self.customer[keep],
            self.as_of_date[keep],
            self.values[keep],
            *(None if column is None else column[keep] for column in (self.label, self.treated)),
        )
