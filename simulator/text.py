"""Columns of numbers to lines of text, driven by the contract of a feed; pyarrow does the work on whole columns."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.contracts import Feed
from simulator.timeline import DAY

NULL = np.iinfo(np.int64).min
"""The missing value in columns of integers (numbers, cents, days, seconds)."""


@dataclass(frozen=True)
class Coded:
    """Texts by index into a short table; -1 is null."""

    codes: np.ndarray
    table: tuple[str, ...]


Values = Coded | pa.Array | np.ndarray

_FIRST_DATE = -20_000
_DATES = pa.array(np.datetime_as_string(np.arange(_FIRST_DATE, 30_000).astype("datetime64[D]")))
_TIMES = pa.array([f" {s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}" for s in range(DAY)])
_CENTS = pa.array([f".{cent:02d}" for cent in range(100)])
_BOOLEANS = pa.array(["false", "true"])


def coded(table: tuple[str, ...], codes: np.ndarray) -> Coded:
    """Texts of ``table`` by their indexes."""
    return Coded(codes, table)


def join(*pieces: pa.Array | str) -> pa.Array:
    """Texts put together row by row; null where any piece is null."""
    return pc.binary_join_element_wise(*pieces, "")


def numbers(values: np.ndarray | pa.Array, width: int = 0) -> pa.Array:
    """Integers as text, filled with zeros on the left to ``width``."""
    text = pa.array(values).cast(pa.string())
    return pc.utf8_lpad(text, width, "0") if width else text


def concatenate(parts: list[Values]) -> Values:
    """The parts of one column, one after the other."""
    if len(parts) == 1:
        return parts[0]
    if isinstance(parts[0], Coded):
        return Coded(np.concatenate([part.codes for part in parts]), parts[0].table)
    return pa.concat_arrays(parts) if isinstance(parts[0], pa.Array) else np.concatenate(parts)


def render(sql_type: str, values: Values) -> pa.Array:
    """One column as text, from cents, days, UTC seconds, or fractions, as the SQL type asks."""
    if isinstance(values, Coded):
        return _take(pa.array(values.table), values.codes, values.codes < 0)
    if isinstance(values, pa.Array):
        return values
    if sql_type == "boolean":
        return _BOOLEANS.take(pa.array(values.astype(np.int8)))
    if sql_type == "decimal(12,6)":
        distinct, codes = np.unique(values, return_inverse=True)
        return _take(pa.array([f"{value:.6f}" for value in distinct]), codes, np.isnan(values))
    missing = values == NULL
    if sql_type == "date":
        return _take(_DATES, values - _FIRST_DATE, missing)
    if sql_type == "timestamp":
        day = np.where(missing, 0, values // DAY)
        return join(
            _take(_DATES, day - _FIRST_DATE, missing), _TIMES.take(pa.array(np.where(missing, 0, values % DAY)))
        )
    if sql_type == "decimal(18,2)":
        text = join(
            pa.array(np.where(missing, 0, values // 100)).cast(pa.string()), _CENTS.take(pa.array(values % 100))
        )
        return pc.if_else(pa.array(missing), pa.scalar(None, pa.string()), text) if missing.any() else text
    return pa.array(values, mask=missing).cast(pa.string())


def _take(table: pa.Array, codes: np.ndarray, missing: np.ndarray) -> pa.Array:
    return table.take(pa.array(codes, mask=missing) if missing.any() else pa.array(codes))


def lines(feed: Feed, rows: dict[str, Values]) -> pa.Array:
    """The rows as lines with their line ends, in the feed's format (JSON Lines, or delimited; in UTF-8)."""
    if feed.format == "jsonl.gz":
        return _json_lines(feed, rows)
    pieces: list[pa.Array | str] = []
    for column in feed.sent_columns:
        pieces += [feed.delimiter, render(column.type, rows[column.name])]
    return pc.binary_join_element_wise(*pieces[1:], "\n", "", null_handling="replace", null_replacement="")


def _json_lines(feed: Feed, rows: dict[str, Values]) -> pa.Array:
    pieces: list[pa.Array | str] = []
    constant = "{"
    for column in feed.columns:
        text = render(column.type, rows[column.name])
        constant += f'"{column.name}":'
        if column.type in ("varchar", "date", "timestamp"):
            if text.null_count:
                text = join('"', text, '"')
            else:
                pieces += [constant + '"', text]
                constant = '",'
                continue
        pieces += [constant, text.fill_null("null")]
        constant = ","
    return pc.binary_join_element_wise(*pieces, constant.removesuffix(",") + "}\n", "")
