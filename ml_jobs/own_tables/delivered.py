"""The rows of a user's table as they came: a file or a table of the store, each row with its place there."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pandas.api.extensions import ExtensionDtype

from lakehouse import warehouse
from lakehouse.adapters.delimited import Delimited, counted, describe, named_lines, read_delimited
from lakehouse.contracts import UTC, load_deployment
from lakehouse.errors import Stop
from lakehouse.settings import Settings
from ml_jobs.task_file import Reading

PARQUET = b"PAR1"


@dataclass(frozen=True)
class Delivered:
    """Rows as delivered. A delimited file's columns are texts; nothing is read into them yet."""

    frame: pd.DataFrame
    name: str = "the data"
    places: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))  # (n,) line or row of each, from 1
    noun: str = "row"  # of the places
    utc_offset: str = UTC  # of the bank's clock
    notes: tuple[str, ...] = ()
    unusable: dict[str, str] = field(default_factory=dict)  # column: why it can be no feature
    text: Delimited | None = None  # what the file looks like, if it is a delimited one

    def __post_init__(self) -> None:
        if not len(self.places):
            object.__setattr__(self, "places", np.arange(1, len(self.frame) + 1))

    @property
    def names(self) -> list[str]:
        """The columns."""
        return [str(name) for name in self.frame.columns]

    def take(self, positions: np.ndarray) -> "Delivered":
        """Some of the rows, in this order."""
        return replace(self, frame=self.frame.iloc[positions].reset_index(drop=True), places=self.places[positions])

    def where(self, rows: np.ndarray) -> str:
        """The places of the rows of a mask, (n,), in words: ``line 17``."""
        return named_lines(np.sort(self.places[rows]).tolist(), self.noun)


def read_rows(settings: Settings, table: str, path: Path | None, reading: Reading | None = None) -> Delivered:
    """The rows of a Parquet or a delimited file, packed by gzip or not, or of a table of the store.

    Raises
    ------
    Stop
        If there is no such file or table, or no row in it, or a line of the file does not fit its header.
    """
    offset = load_deployment(settings.deployment).utc_offset
    if path is None:
        try:
            content = warehouse.query_serving(settings, f"select * from {table}")
        except duckdb.Error as error:
            raise Stop(f"{table}: {error}", "correct `table` in the task file, or give --data FILE") from error
        delivered = _typed(content, table, offset)
    elif not path.is_file():
        raise Stop(f"{path}: no such file", "correct `table` in the task file, or give --data FILE")
    elif _is_parquet(path):
        try:
            content = pq.ParquetFile(path).read()
        except (OSError, ValueError, NotImplementedError) as error:
            raise Stop(f"{path}: not a Parquet file that can be read: {error}") from error
        delivered = _typed(content, str(path), offset)
    else:
        reading = reading or Reading()
        read = read_delimited(path, reading.delimiter, reading.encoding)
        notes = (describe(read), *read.notes)
        delivered = Delivered(read.table.to_pandas(), str(path), read.lines, "line", offset, notes, {}, read)
    if delivered.frame.empty:
        raise Stop(f"{delivered.name}: no rows", "send a table with rows")
    return delivered


def _is_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == PARQUET or path.suffix.lower() == ".parquet"


def _typed(content: pa.Table, name: str, offset: str) -> Delivered:
    """A table with types: keys stay exact, moments are those of the bank's clock."""
    names = content.column_names
    if twice := sorted({column for column in names if names.count(column) > 1}):
        raise Stop(f"{name}: several columns are named {', '.join(twice)}", "give every column a name of its own")
    columns, unusable = {}, {}
    for column, sent in zip(names, content.columns, strict=True):
        values = sent
        if pa.types.is_dictionary(values.type):
            values = values.cast(values.type.value_type)
        if why := _why_unusable(values.type):
            unusable[column] = why
            values = pa.nulls(len(values), pa.string())
        if pa.types.is_decimal(values.type):  # whole ones may be keys, longer than a float is exact
            values = values.cast(pa.string() if values.type.scale == 0 else pa.float64())
        columns[column] = values
    frame = pa.table(columns).to_pandas(ignore_metadata=True, date_as_object=False, types_mapper=_exact(columns))
    for column in frame.columns[[isinstance(kind, pd.DatetimeTZDtype) for kind in frame.dtypes]]:
        frame[column] = frame[column].dt.tz_convert(f"UTC{offset}").dt.tz_localize(None)
    return Delivered(frame, name, utc_offset=offset, notes=(counted(len(frame), "row"),), unusable=unusable)


def _exact(columns: dict[str, pa.ChunkedArray]) -> Callable[[pa.DataType], ExtensionDtype | None]:
    """Whole numbers with gaps stay whole: as floats, keys would end with .0."""
    with_gaps = {values.type for values in columns.values() if pa.types.is_integer(values.type) and values.null_count}
    whole: dict[pa.DataType, ExtensionDtype] = {
        pa.int64(): pd.Int64Dtype(),
        pa.int32(): pd.Int32Dtype(),
        pa.int16(): pd.Int16Dtype(),
    }
    whole |= {pa.int8(): pd.Int8Dtype(), pa.uint64(): pd.UInt64Dtype(), pa.uint32(): pd.UInt32Dtype()}
    return lambda kind: whole.get(kind) if kind in with_gaps else None


def _why_unusable(kind: pa.DataType) -> str:
    if pa.types.is_nested(kind):
        return "holds lists or structures"
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return "holds bytes"
    if pa.types.is_duration(kind) or pa.types.is_time(kind) or pa.types.is_interval(kind):
        return "holds durations or times of day"
    return ""
