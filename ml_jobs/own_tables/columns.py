"""What the columns of a user's table hold: numbers, dates, categories; what cannot be read is counted and named.

A column has one kind, by the evidence of all its values. Where two readings fit, there is a question instead, which the
task file answers (`reading`, `exclude`).
"""

import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol

import numpy as np
import pandas as pd
import pyarrow as pa

from lakehouse.adapters.delimited import counted
from ml_jobs.own_tables.delivered import Delivered
from ml_jobs.own_tables.writings import COMMA, PERCENT, POINT, Dates, Numbers, Texts, read_dates, read_numbers
from ml_jobs.task_file import Reading

Kind = Literal["number", "days", "category", "empty"]
LEVELS = 50  # of a category, the most frequent; the others are one
LEAST_ROWS = 10  # of a level, and at least this share of the rows:
LEAST_SHARE = 0.001
MOSTLY = 0.5  # of the values are numbers, or dates: the others are unreadable ones
SLIPS = 0.01  # of the values, at most, are written otherwise than the rest: they are unreadable; more are a question
COMPACT = 0.95  # of the values are dates like 20241231: no numbers
_WHOLE = re.compile(r"[+-]?[0-9]+\.0+")


class Trained(Protocol):
    """What a column was in training: it decides where later rows do not show it themselves."""

    @property
    def kind(self) -> str:
        """number, category or days."""

    @property
    def writing(self) -> str:
        """The decimal mark of numbers, the order of dates."""


@dataclass(frozen=True)
class Read:
    """One column, read."""

    kind: Kind
    values: np.ndarray  # (n,) numbers (nan), days (datetime64[D], NaT); of a category the position in `levels` (-1)
    levels: np.ndarray  # (distinct,) texts of a category
    present: np.ndarray  # (n,) whether there is a value
    unreadable: np.ndarray  # (n,) whether there is a value of another kind
    writing: str = ""  # the decimal mark of numbers, where one shows
    unit: str = ""  # of numbers: "%" or a currency
    question: str = ""  # what the task file has to answer before the column can be used
    useless: str = ""  # why it can be no feature
    is_code: bool = False  # digits that begin with 0, or more than a float keeps apart

    @cached_property
    def distinct(self) -> int:
        """How many values there are."""
        if self.kind == "category":
            return len(self.levels)
        known = self.values[~pd.isna(self.values)]
        return len(pd.unique(known))


class Columns:
    """The columns of delivered rows, each read once."""

    def __init__(
        self,
        delivered: Delivered,
        reading: Reading,
        categorical: Collection[str] = (),
        trained: Mapping[str, Trained] | None = None,
    ) -> None:
        self.delivered, self.reading, self.categorical, self.trained = delivered, reading, categorical, trained or {}
        self._texts: dict[str, Texts] = {}
        self._numbers: dict[str, Numbers | None] = {}
        self._read: dict[tuple[str, bool], Read] = {}

    def __getitem__(self, name: str) -> Read:
        return self.read(name)

    def read(self, name: str, as_number: bool = False) -> Read:
        """A column; ``as_number`` reads digits that look like codes as numbers, too."""
        if (name, as_number) not in self._read:
            self._read[name, as_number] = self._of(name, as_number)
        return self._read[name, as_number]

    def texts(self, name: str) -> Texts:
        """A column as distinct texts, whatever its type."""
        if name not in self._texts:
            column = self.delivered.frame[name]
            if not _is_text(column):
                codes, values = pd.factorize(column)
                distinct = pa.array([text_of(value) for value in values], pa.large_string())
                self._texts[name] = Texts(np.asarray(codes), distinct)
            else:
                self._texts[name] = Texts.of(pa.array(column, pa.large_string(), from_pandas=True))
        return self._texts[name]

    def codes(self, name: str) -> np.ndarray:
        """(n,) a number for each distinct value of a column; -1 where it is missing."""
        column = self.delivered.frame[name]
        return self.texts(name).codes if _is_text(column) else np.asarray(pd.factorize(column)[0])

    @cached_property
    def decimal(self) -> str:
        """The decimal mark of the file, by its columns; empty where they do not show it, or differ."""
        if self.reading.decimal:
            return self.reading.decimal
        shown = set()
        for name in self.delivered.names:
            numbers = self._read_numbers(name) if _is_text(self.delivered.frame[name]) else None
            if numbers and max(map(numbers.readable, numbers.values)) >= MOSTLY * numbers.texts.present.sum():
                shown |= {mark for mark, rows in numbers.clear.items() if rows > SLIPS * sum(numbers.clear.values())}
        return shown.pop() if len(shown) == 1 else ""

    def _read_numbers(self, name: str) -> Numbers | None:
        if name not in self._numbers:
            self._numbers[name] = read_numbers(self.texts(name))
        return self._numbers[name]

    def _of(self, name: str, as_number: bool) -> Read:
        column = self.delivered.frame[name]
        nothing = np.zeros(len(column), dtype=bool)
        if not _is_text(column):
            present = column.notna().to_numpy()
            if not present.any():
                return Read("empty", np.full(len(column), np.nan), np.empty(0), present, nothing)
            if pd.api.types.is_datetime64_any_dtype(column):
                return Read("days", column.to_numpy().astype("datetime64[D]"), np.empty(0), present, nothing)
            if name not in self.categorical:
                values = column.to_numpy(dtype=float, na_value=np.nan)
                return Read("number", np.where(np.isfinite(values), values, np.nan), np.empty(0), present, nothing)
            return self.as_category(name)
        texts = self.texts(name)
        if not texts.present.any():
            return Read("empty", np.full(len(column), np.nan), np.empty(0), texts.present, nothing)
        if name in self.categorical:
            return self.as_category(name)
        if name in self.trained and self.trained[name].kind == "number":
            return self._as_numbers(name, as_number) or self._as_dates(name) or self.as_category(name)
        return self._as_dates(name) or self._as_numbers(name, as_number) or self.as_category(name)

    def as_category(self, name: str, is_code: bool = False) -> Read:
        """A column by its texts, whatever else it could be."""
        texts = self.texts(name)
        spelt = [text_of(text) for text in texts.distinct.to_pylist()]
        place, levels = pd.factorize(np.array(spelt, dtype=object))
        codes = texts.spread(place.astype(np.int64), -1)
        return Read("category", codes, levels, texts.present, np.zeros(len(codes), dtype=bool), is_code=is_code)

    def _as_dates(self, name: str) -> Read | None:
        texts = self.texts(name)
        dates = read_dates(texts, self.delivered.utc_offset)
        present = int(texts.present.sum())
        if dates is None or dates.readable("dmy") + dates.clear["mdy"] + dates.two_digit_years < MOSTLY * present:
            return None
        if dates.compact and dates.compact < COMPACT * present:
            return None
        order, question = self.order(name, dates)
        useless = ""
        if dates.two_digit_years > SLIPS * present:
            useless = "dates whose years have two digits: the century is not said"
        values = texts.spread(dates.days[order], np.datetime64("NaT"))
        unreadable = texts.present & np.isnat(values)
        writing = order if sum(dates.clear.values()) + dates.ambiguous else ""
        return Read("days", values, np.empty(0), texts.present, unreadable, writing, "", question, useless)

    def order(self, name: str, dates: Dates) -> tuple[str, str]:
        """Day first or month first, and the question if that is open."""
        if self.reading.date_order:
            return self.reading.date_order, ""
        shown = [order for order, rows in dates.clear.items() if rows > SLIPS * sum(dates.clear.values())]
        trained = self._trained_writing(name, "days")
        if len(shown) == 1 or not (shown or dates.ambiguous) or (trained and not shown):
            return (shown or [trained or "dmy"])[0], ""
        why = "the day comes first in some, the month in others" if shown else "day or month may come first"
        return "dmy", f"{why}: say `reading: {{date_order: dmy}}` or mdy"

    def _as_numbers(self, name: str, as_number: bool) -> Read | None:
        numbers = self._read_numbers(name)
        if numbers is None:
            return None
        if numbers.codes and not as_number:
            return self.as_category(name, is_code=True)
        texts, present = numbers.texts, int(numbers.texts.present.sum())
        decimal, question = self._decimal(name, numbers)
        known = np.isfinite(numbers.values[decimal])
        if question:
            known |= np.isfinite(numbers.values[COMMA])
        if texts.counts[known].sum() < MOSTLY * present or self._has_levels(texts, known):
            return None
        unit, misfits, about_units = _unit(numbers, known, decimal)
        values = texts.spread(np.where(misfits, np.nan, numbers.values[decimal]), np.nan)
        writing = decimal if sum(numbers.clear.values()) + numbers.ambiguous else ""
        unreadable = texts.present & np.isnan(values)
        return Read("number", values, np.empty(0), texts.present, unreadable, writing, unit, question or about_units)

    def _decimal(self, name: str, numbers: Numbers) -> tuple[str, str]:
        """The decimal mark of a column, and the question if it is open."""
        if self.reading.decimal:
            return self.reading.decimal, ""
        total = sum(numbers.clear.values())
        shown = [mark for mark, rows in numbers.clear.items() if rows > SLIPS * total]
        if len(shown) == 1:
            return shown[0], ""
        if shown:
            commas = counted(numbers.clear[COMMA], "value")
            rows = f"{commas} with a decimal comma, {numbers.clear[POINT]:,} with a point"
            return POINT, f"{rows}: write all alike, or say `reading: {{decimal: ...}}`"
        known = self.decimal or self._trained_writing(name, "number")
        if not numbers.ambiguous or known:
            return known or POINT, ""
        return POINT, '1.234 may be thousands or decimals: say `reading: {decimal: "."}` or ","'

    def _trained_writing(self, name: str, kind: Kind) -> str:
        trained = self.trained.get(name)
        return trained.writing if trained and trained.kind == kind else ""

    def _has_levels(self, texts: Texts, known: np.ndarray) -> bool:
        """Whether what is no number is frequent, as in 0, 1, 2, 3+: levels of a category."""
        if known.all() or len(known) > LEVELS:
            return False
        return bool(texts.counts[~known].max() >= least_rows(len(texts.codes)))


def least_rows(rows: int) -> float:
    """Of a level of a category, in a table of so many rows."""
    return max(min(LEAST_ROWS, rows / 20), LEAST_SHARE * rows)


def text_of(value: object) -> str:
    """One spelling of 1, 1.0, True and "1"."""
    if isinstance(value, (bool, np.bool_)):
        return str(int(value))
    if isinstance(value, (int, float, np.integer, np.floating)) and float(value).is_integer():
        return str(int(value))
    text = str(value).strip()
    return text.partition(".")[0] if _WHOLE.fullmatch(text) else text


def _unit(numbers: Numbers, known: np.ndarray, decimal: str) -> tuple[str, np.ndarray, str]:
    """The column's unit, the distinct values written with another, and the question if there are many of these."""
    counts, units = numbers.texts.counts, numbers.units
    rows: Counter[str] = Counter()
    needs_one = known & (numbers.values[decimal] != 0)  # nothing is nothing in every unit
    for unit in set(units[needs_one]):
        rows[unit] = int(counts[needs_one & (units == unit)].sum())
    if len(rows) < 2:
        return next(iter(rows), ""), np.zeros(len(units), dtype=bool), ""
    (unit, most), *others = rows.most_common()
    if {unit, *dict(others)} == {"", unit or others[0][0]} and PERCENT not in rows:
        return unit or others[0][0], np.zeros(len(units), dtype=bool), ""  # one currency, not always written
    misfits = needs_one & (units != unit)
    if sum(count for _, count in others) <= SLIPS * (most + sum(count for _, count in others)):
        return unit, misfits, ""
    shown = ", ".join(f"{count:,} with {mark or 'none'}" for mark, count in rows.most_common())
    return unit, misfits, f"values have different units ({shown}): write all alike"


def _is_text(column: pd.Series) -> bool:
    return not (
        pd.api.types.is_numeric_dtype(column)
        or pd.api.types.is_bool_dtype(column)
        or pd.api.types.is_datetime64_any_dtype(column)
    )
