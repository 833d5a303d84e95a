"""A user's table as a model's rows: Parquet, CSV or a table of the store, text and missing values included.

Columns that cannot be features are left out, and the reason is reported: identifiers, constants, free text, names of
persons. Categories become one column of 0 and 1 per level. The label serves only to separate positives from negatives.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from lakehouse import warehouse
from lakehouse.errors import Stop
from lakehouse.settings import Settings
from ml_jobs.learning.rows import Rows
from ml_jobs.registry.card import EncodedColumn
from ml_jobs.task_file import Task

MISSING = ["", " ", "?", "NA", "N/A", "n/a", "nan", "NaN", "NULL", "null", "None"]
READ_CSV = f"""
    from read_csv(
        $path, sample_size = -1, nullstr = {MISSING},
        auto_type_candidates = ['BIGINT', 'DOUBLE', 'DATE', 'TIMESTAMP', 'VARCHAR']
    )
"""
LEVELS = 50  # of a category, the most frequent; the others are one
LEAST_ROWS = 10  # of a level, and at least this share of the rows:
LEAST_SHARE = 0.001
IDENTIFIER = re.compile(
    r"(?i:^(id|row|index|key|unnamed:? ?\d*|row_?number|client_?num)$|(^|[_ ])(id|key|uuid)$|^id[_ ])|[a-z](Id|ID)$|^ID"
    r"|(?i:(customer|client|account|user|loan|member)[_ ]?(no|number|key|num)$)"
)
PERSONAL = re.compile(
    r"(^|_)(sur|last|first|full|customer_?)?name$|e_?mail|phone|mobile_?no|address|(^|_)ssn$|passport|card_?n(o|um)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Column:
    """How one column of the table becomes numbers."""

    name: str
    kind: str  # number, category or days (before the as-of date)
    levels: tuple[str, ...] = ()


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

    def encode(self, frame: pd.DataFrame, as_of_date: pd.Series | None) -> np.ndarray:
        """(n, encoded) array in single precision, nan where a number is missing.

        Raises
        ------
        ValueError
            If the frame lacks a column.
        """
        if lacking := [column.name for column in self.columns if column.name not in frame]:
            raise Stop(f"the data have no column {', '.join(lacking)}: deliver what the model was trained on")
        values = np.empty((len(frame), len(self.encoded)), dtype=np.float32, order="F")
        position = 0
        for column in self.columns:
            if column.kind == "category":
                texts = _texts(frame[column.name]).to_numpy(dtype=object)
                for level in column.levels:
                    values[:, position] = texts == level
                    position += 1
                continue
            if column.kind == "days" and as_of_date is not None:
                numbers = (as_of_date - pd.to_datetime(frame[column.name], errors="coerce")).dt.days.to_numpy(float)
            else:
                numbers = _numbers(frame[column.name])
            with np.errstate(over="ignore"):
                values[:, position] = np.where(np.isfinite(numbers), numbers, np.nan)
            position += 1
        return values

    def to_json(self) -> list[EncodedColumn]:
        """The columns as a card holds them."""
        return [EncodedColumn(name=column.name, kind=column.kind, levels=column.levels) for column in self.columns]

    @classmethod
    def from_json(cls, columns: list[EncodedColumn]) -> "Encoding":
        """The encoding that a card holds."""
        return cls(tuple(Column(item["name"], item["kind"], tuple(item["levels"])) for item in columns))


@dataclass(frozen=True)
class Table:
    """Labelled rows ready for training, with the columns left out and why."""

    rows: Rows
    groups: np.ndarray  # (n,) codes: rows of one code stay on one side of every split
    encoding: Encoding
    dropped: dict[str, str]  # column: why
    notes: tuple[str, ...]
    frame: pd.DataFrame  # the rows as delivered, for segments


def read_frame(settings: Settings, table: str, path: Path | None) -> pd.DataFrame:
    """The rows of a file or of a table of the store; ``?``, ``NA`` and the like in a CSV are missing.

    Raises
    ------
    ValueError
        If there is no such file or table, or no row in it.
    """
    if path is None:
        try:
            frame = warehouse.query_serving(settings, f"select * from {table}").to_pandas()
        except duckdb.Error as error:
            raise Stop(f"{table}: {error}", "correct `table` in the task file, or give --data FILE") from error
    elif not path.is_file():
        raise Stop(f"{path}: no such file: correct `table` in the task file, or give --data FILE")
    elif path.suffix.lower() == ".parquet":
        try:
            frame = pd.read_parquet(path)
        except (OSError, ValueError) as error:
            raise Stop(f"{path}: not a Parquet file that can be read: {error}") from error
    else:
        with duckdb.connect() as connection:
            try:
                frame = connection.sql(READ_CSV, params={"path": str(path)}).to_arrow_table().to_pandas()
            except duckdb.Error as error:
                raise Stop(f"{path}: not a CSV file that can be read: {error}") from error
    if frame.empty:
        raise Stop(f"{path or table}: no rows")
    return frame


def labelled(task: Task, frame: pd.DataFrame) -> Table:
    """The rows of ``frame`` that have a label, encoded.

    Raises
    ------
    ValueError
        If a column that the task names is missing, or the label has no such positive value, or only that.
    """
    notes: list[str] = []
    _check_columns(task, frame)
    known = frame[task.label].notna()
    if not known.all():
        notes.append(f"{(~known).sum():,} rows without a label are left out")
        frame = frame[known].reset_index(drop=True)
    label = is_positive(task, frame[task.label])
    dates = as_of_dates(task, frame)
    if task.as_of_date is not None:
        order = np.lexsort((np.arange(len(frame)), dates))
        frame, label, dates = frame.iloc[order].reset_index(drop=True), label[order], dates[order]
    names, dropped = _screened(task, frame)
    columns = tuple(_encoding_of(task, name, frame[name], dropped) for name in names)
    encoding = Encoding(tuple(column for column in columns if column.name not in dropped))
    if not encoding.columns:
        raise Stop(f"no column is left to learn from: {dropped}")
    entity = (frame[task.entity].astype(str) if task.entity else pd.Series(frame.index.map(str))).to_numpy(dtype=object)
    values = encoding.encode(frame, pd.Series(dates))
    groups, repeated = _groups(task, frame, entity, [column.name for column in encoding.columns])
    if repeated:
        notes.append(f"{repeated:,} rows repeat another row's features: they stay on one side of every split")
    rows = Rows(encoding.encoded, entity, dates, values, label)
    return Table(rows, groups, encoding, dropped, tuple(notes), frame)


def as_of_dates(task: Task, frame: pd.DataFrame) -> np.ndarray:
    """(n,) datetime64[D]; without an as-of date all rows have one date."""
    if task.as_of_date is None:
        return np.full(len(frame), np.datetime64("1970-01-01"), dtype="datetime64[D]")
    dates = pd.to_datetime(frame[task.as_of_date], format="ISO8601", errors="coerce")
    if dates.isna().any():
        raise Stop(
            f"as_of_date: {task.as_of_date} is no date in {dates.isna().sum():,} rows, for instance "
            f"{frame[task.as_of_date][dates.isna()].iloc[0]!r}: deliver YYYY-MM-DD"
        )
    return dates.to_numpy().astype("datetime64[D]")


def is_positive(task: Task, label: pd.Series) -> np.ndarray:
    """(n,) 0 or 1.

    Raises
    ------
    ValueError
        If no row, or every row, has the task's positive value.
    """
    positive = np.array([_answer(text) for text in _texts(label)], dtype=object) == _answer(_text(task.positive))
    if not positive.any() or positive.all():
        values = ", ".join(map(repr, label.value_counts().index[:8]))
        raise Stop(
            f"positive: {task.positive!r} is the label of {positive.sum():,} of {len(label):,} rows; "
            f"{task.label} holds {values}: name one of them, and deliver both kinds of rows"
        )
    return positive.astype(np.int8)


def looks_like_an_identifier(name: str, column: pd.Series) -> bool:
    """Whether nearly every row has another value, and the values are not measurements."""
    distinct, count = column.nunique(), column.notna().sum()
    if count < 20 or (pd.api.types.is_float_dtype(column) and not (column.dropna() % 1 == 0).all()):
        return False
    if pd.api.types.is_integer_dtype(column) and distinct == count >= 100:
        return True
    return bool(IDENTIFIER.search(name)) and distinct > 0.5 * count


def _check_columns(task: Task, frame: pd.DataFrame) -> None:
    named = {"label": task.label, "entity": task.entity, "as_of_date": task.as_of_date, "groups": task.groups}
    named |= {f"features ({name})": name for name in task.features or ()}
    named |= {f"categorical ({name})": name for name in task.categorical}
    for key, name in named.items():
        if name is not None and name not in frame:
            raise Stop(f"{key}: the data have no column {name}; they have {', '.join(map(str, frame.columns))}")


def _screened(task: Task, frame: pd.DataFrame) -> tuple[list[str], dict[str, str]]:
    """Columns that can be features, and why the others cannot."""
    dropped, names = dict(task.exclude), []
    roles = {task.label, task.entity, task.as_of_date, task.groups}
    for name in frame.columns if task.features is None else task.features:
        column = frame[name]
        if name in roles or name in dropped:
            continue
        if column.dtype == object and column.map(type).isin([list, dict, np.ndarray]).any():
            dropped[name] = "holds lists or structures"
            continue
        distinct, count = column.nunique(), column.notna().sum()
        if count == 0:
            dropped[name] = "always missing"
        elif distinct == 1 and count == len(column):
            dropped[name] = f"always {column.iloc[0]!r}"
        elif looks_like_an_identifier(name, column):
            dropped[name] = f"an identifier: {distinct:,} values in {count:,} rows"
        elif PERSONAL.search(name) and not pd.api.types.is_numeric_dtype(column):
            dropped[name] = "personal data"
        elif _is_date(column) and task.as_of_date is None:
            dropped[name] = "a date, with no as-of date to count from"
        elif _is_text(column) and not _is_numeric_text(column) and distinct > max(100, 0.1 * count):
            dropped[name] = f"free text: {distinct:,} values in {count:,} rows"
        else:
            names.append(name)
    return names, dropped


def _encoding_of(task: Task, name: str, column: pd.Series, dropped: dict[str, str]) -> Column:
    if _is_date(column):
        return Column(name, "days")
    if name not in task.categorical and (not _is_text(column) or _is_numeric_text(column)):
        return Column(name, "number")
    counts = _texts(column).value_counts()
    counts = counts[counts.ge(max(min(LEAST_ROWS, len(column) / 20), LEAST_SHARE * len(column)))]
    levels = sorted(counts.index[:LEVELS])
    if len(levels) == len(counts) == _texts(column).nunique() == 2:
        levels = levels[1:]  # one of two levels is enough
    if not levels:
        dropped[name] = "no value is frequent enough to learn from"
    return Column(name, "category", tuple(levels))


def _groups(task: Task, frame: pd.DataFrame, entity: np.ndarray, features: list[str]) -> tuple[np.ndarray, int]:
    """Codes of the rows that must stay together, and how many rows repeat the features of another entity's row."""
    given = frame[task.groups].astype(str).to_numpy(dtype=object) if task.groups else entity
    codes = pd.factorize(given)[0]
    alike = pd.factorize(pd.util.hash_pandas_object(frame[features].astype(str), index=False))[0]
    sizes = np.bincount(alike)
    edges = coo_array(
        (np.ones(len(codes)), (codes, codes.max() + 1 + alike)), shape=(codes.max() + 2 + alike.max(),) * 2
    )
    together = connected_components(edges, directed=False)[1][codes]
    return pd.factorize(together)[0], int((sizes - 1).sum())


def _answer(text: str) -> str:
    """One spelling of yes and no: YAML reads an unquoted yes as true."""
    return {"true": "1", "yes": "1", "false": "0", "no": "0"}.get(text.lower(), text)


def _text(value: object) -> str:
    """One spelling of 1, 1.0, True and "1"."""
    if isinstance(value, (bool, np.bool_)):
        return str(int(value))
    if isinstance(value, (int, float, np.integer, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()


def _texts(column: pd.Series) -> pd.Series:
    """Texts in one spelling; a missing one is ``(missing)``."""
    codes, values = pd.factorize(column)
    return pd.Series(np.array([*map(_text, values), "(missing)"], dtype=object)[codes], index=column.index)


def _numbers(column: pd.Series) -> np.ndarray:
    return pd.to_numeric(column, errors="coerce").to_numpy(dtype=float, na_value=np.nan)


def _is_text(column: pd.Series) -> bool:
    return not (pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column) or _is_decimal(column))


def _is_decimal(column: pd.Series) -> bool:
    return column.dtype == object and isinstance(column.dropna().iloc[:1].squeeze(), Decimal)


def _is_numeric_text(column: pd.Series) -> bool:
    """Numbers delivered as text, missing ones in any spelling."""
    if not _is_text(column):
        return False
    texts = column.dropna().astype(str).str.strip()
    texts = texts[~texts.isin(MISSING)]
    return len(texts) > 0 and bool(pd.to_numeric(texts, errors="coerce").notna().all())


def _is_date(column: pd.Series) -> bool:
    return pd.api.types.is_datetime64_any_dtype(column) or (
        column.dtype == object and isinstance(column.dropna().iloc[:1].squeeze(), date)
    )
