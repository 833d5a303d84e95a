"""Rows of a feature table in memory."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import date

import numpy as np

from lakehouse.errors import Stop

NONE = np.empty(0, np.int8)


@dataclass(frozen=True)
class Rows:
    """Customers at as-of dates, in the order of date and key, so that a model does not depend on the engine's order."""

    columns: tuple[str, ...]
    customer: np.ndarray  # (n,) text
    as_of_date: np.ndarray  # (n,) datetime64[D]
    values: np.ndarray  # (n, columns) float32, nan where missing
    label: np.ndarray = field(default_factory=lambda: NONE)  # (n,) 0 or 1; `NONE` of rows to be scored
    treated: np.ndarray = field(default_factory=lambda: NONE)  # (n,) 0 or 1; `NONE` without a treatment

    def column(self, name: str) -> np.ndarray:
        """(n,) values of one feature.

        Raises
        ------
        Stop
            If there is no such feature.
        """
        if name not in self.columns:
            raise Stop(f"the feature table has no column {name}: correct the task file or the features model")
        return self.values[:, self.columns.index(name)]

    def without(self, names: Collection[str]) -> "Rows":
        """The same rows without these features."""
        kept = [place for place, name in enumerate(self.columns) if name not in names]
        columns = tuple(self.columns[place] for place in kept)
        return replace(self, columns=columns, values=np.asfortranarray(self.values[:, kept]))

    def between(self, first: date, last: date) -> "Rows":
        """The rows from the first to the last as-of date, both included; views, not copies."""
        keep = slice(
            np.searchsorted(self.as_of_date, np.datetime64(first)),
            np.searchsorted(self.as_of_date, np.datetime64(last), side="right"),
        )
        return Rows(
            self.columns,
            self.customer[keep],
            self.as_of_date[keep],
            self.values[keep],
            self.label[keep],
            self.treated[keep],
        )
