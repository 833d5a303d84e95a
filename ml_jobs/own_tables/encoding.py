"""How the columns of a user's table become a model's numbers, in training and for rows that are scored later."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lakehouse.adapters.delimited import counted
from lakehouse.errors import Stop
from ml_jobs.own_tables.columns import SLIPS, Columns, Read
from ml_jobs.own_tables.writings import COMMA, PERCENT, POINT
from ml_jobs.registry.card import EncodedColumn

FEW = 20  # values: with fewer, all may be new, or missing, by chance
SEEN = 1_000  # texts of a category that are kept, the most frequent
NEW = 0.5  # of the values were not met in training, at most
NAMES = {POINT: "a decimal point", COMMA: "a decimal comma", "dmy": "the day first", "mdy": "the month first"}


@dataclass(frozen=True)
class Column:
    """How one column of the table becomes numbers, and what it held in training."""

    name: str
    kind: str  # number, category or days (before the as-of date)
    levels: tuple[str, ...] = ()
    writing: str = ""  # the decimal mark of numbers, the order of dates
    unit: str = ""
    unreadable: float = 0.0  # share of the values
    missing: float = 1.0  # share of the rows
    seen: tuple[str, ...] = ()  # texts of a category


@dataclass(frozen=True)
class Encoding:
    """How a table becomes numbers; one encoding for training and for rows that are scored later."""

    columns: tuple[Column, ...]

    @property
    def encoded(self) -> tuple[str, ...]:
        """Names of the encoded columns."""
        return tuple(
            name
            for column in self.columns
            for name in ([f"{column.name} = {level}" for level in column.levels] or [column.name])
        )

    @property
    def source(self) -> tuple[str, ...]:
        """The table's column behind each encoded one."""
        return tuple(column.name for column in self.columns for _ in range(len(column.levels) or 1))

    def without(self, names: Sequence[str]) -> "Encoding":
        """The encoding without some columns of the table."""
        return Encoding(tuple(column for column in self.columns if column.name not in names))

    def encode(self, columns: Columns, as_of_date: np.ndarray) -> np.ndarray:
        """(n, encoded) array in single precision, nan where a number is missing.

        Parameters
        ----------
        columns : Columns
            Of the rows; those of the encoding are there.
        as_of_date : (n,) datetime64[D]
        """
        values = np.empty((len(as_of_date), len(self.encoded)), dtype=np.float32, order="F")
        position = 0
        for column in self.columns:
            read = columns.read(column.name, column.kind == "number")
            if column.kind == "category":
                level = _levels(read, columns, column)
                for number in range(len(column.levels)):
                    values[:, position] = level == number
                    position += 1
                continue
            numbers = _numbers(read, as_of_date)
            with np.errstate(over="ignore"):
                values[:, position] = np.where(np.isfinite(numbers), numbers, np.nan)
            position += 1
        values[np.isinf(values)] = np.nan
        return values

    def check(self, columns: Columns) -> list[str]:
        """Hold rows to be scored against what the model was trained on.

        Returns
        -------
        list of str
            What is odd, but can be scored.

        Raises
        ------
        Stop
            If a column cannot be read, or is of another kind than in training; its name is given.
        """
        name, notes = columns.delivered.name, []
        for column in self.columns:
            read = columns.read(column.name, column.kind == "number")
            if problem := _difference(column, read, columns):
                raise Stop(f"{name}: {column.name} {problem}", "deliver the column as in training")
            notes += _oddities(column, read, columns)
        return notes

    def to_json(self) -> list[EncodedColumn]:
        """The columns as a card holds them."""
        return [EncodedColumn(**vars(column)) for column in self.columns]

    @classmethod
    def from_json(cls, columns: list[EncodedColumn]) -> "Encoding":
        """The encoding that a card holds."""
        return cls(
            tuple(
                Column(
                    item["name"],
                    item["kind"],
                    tuple(item["levels"]),
                    item.get("writing", ""),
                    item.get("unit", ""),
                    item.get("unreadable", 0.0),
                    item.get("missing", 1.0),
                    tuple(item.get("seen", ())),
                )
                for item in columns
            )
        )


def number_column(name: str, read: Read) -> Column:
    """A column of numbers or of dates, with what is held against later rows."""
    present = max(1, int(read.present.sum()))
    return Column(
        name,
        read.kind,
        writing=read.writing,
        unit=read.unit,
        unreadable=float(read.unreadable.sum() / present),
        missing=float(1 - read.present.mean()),
    )


def category_column(name: str, read: Read, levels: tuple[str, ...]) -> Column:
    """A column of texts, with what is held against later rows."""
    known = pd.Series(read.values[read.values >= 0]).value_counts().index[:SEEN]
    seen = tuple(read.levels[known].tolist())
    return Column(name, "category", levels, missing=float(1 - read.present.mean()), seen=seen)


def _levels(read: Read, columns: Columns, column: Column) -> np.ndarray:
    """(n,) position of each row's level among the column's; -1 for every other."""
    if read.kind != "category":
        read = columns.as_category(column.name)
    place = {level: number for number, level in enumerate(column.levels)}
    at_level = np.array([place.get(level, -1) for level in read.levels], dtype=np.int64)
    return np.append(at_level, place.get("(missing)", -1))[read.values]


def _numbers(read: Read, as_of_date: np.ndarray) -> np.ndarray:
    if read.kind == "days":
        days = (as_of_date - read.values).astype("timedelta64[D]")
        return np.where(np.isnat(days), np.nan, days.astype(np.int64).astype(float))
    if read.kind == "number":
        return read.values
    return np.full(len(as_of_date), np.nan)


def _difference(column: Column, read: Read, columns: Columns) -> str:
    """How a column differs from training so much that it cannot be scored; empty if it does not."""
    rows = int(read.present.sum())
    delivered = columns.delivered
    if not rows:
        return "is always missing" if len(read.present) >= FEW and column.missing < 1 - NEW else ""
    if column.kind == "category":
        of_kind = columns.as_category(column.name)
        seen = set(column.seen)
        is_new = np.append(np.array([level not in seen for level in of_kind.levels], dtype=bool), False)
        new = int(is_new[of_kind.values].sum())
        if column.seen and len(column.seen) < SEEN and rows >= FEW and new > NEW * rows:
            return f"holds other values than in training in {new:,} of {counted(rows, 'row')}"
        return ""
    if read.kind != column.kind:
        held = {"days": "dates", "number": "numbers", "category": "text"}
        places = delivered.where(read.present)
        return f"holds {held.get(read.kind, 'nothing')}, in training {held[column.kind]} ({places})"
    if read.question:
        return f"cannot be read: {read.question}"
    if read.useless:
        return f"cannot be read: {read.useless}"
    if read.writing and column.writing and read.writing != column.writing:
        return f"is written with {NAMES[read.writing]}, in training with {NAMES[column.writing]}"
    if read.unit != column.unit and (PERCENT in (read.unit, column.unit) or (read.unit and column.unit)):
        return f"is written {_with(read.unit)}, in training {_with(column.unit)}"
    unreadable = int(read.unreadable.sum())
    if unreadable > max(SLIPS, 2 * column.unreadable) * rows:
        return f"cannot be read in {unreadable:,} of {counted(rows, 'row')} ({delivered.where(read.unreadable)})"
    return ""


def _oddities(column: Column, read: Read, columns: Columns) -> list[str]:
    if column.kind != "category" and read.unreadable.any():
        return [unreadable_note(column.name, read, columns)]
    return []


def unreadable_note(name: str, read: Read, columns: Columns) -> str:
    """How many values of a column could not be read, and where; they count as missing."""
    kind = {"number": ("is no number", "are no numbers"), "days": ("is no date", "are no dates")}[read.kind]
    count = int(read.unreadable.sum())
    return (
        f"{name}: {counted(count, 'value')} of {int(read.present.sum()):,} {kind[count > 1]}, so missing: "
        f"{columns.delivered.where(read.unreadable)}"
    )


def _with(unit: str) -> str:
    return f"with {unit}" if unit else "without a unit"
