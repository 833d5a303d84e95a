"""A user's table as a model's rows: Parquet, a delimited file or a table of the store, text and gaps included.

Columns that cannot be features are left out, and the reason is reported: identifiers, constants, free text, names of
persons. What the task file names under `features` or `categorical` is used. Categories become one column of 0 and 1 per
level. The label serves only to separate positives from negatives.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from lakehouse.adapters.delimited import counted
from lakehouse.errors import Stop
from ml_jobs.learning.rows import Rows
from ml_jobs.own_tables.columns import LEVELS, Columns, Read, least_rows, text_of
from ml_jobs.own_tables.delivered import Delivered
from ml_jobs.own_tables.encoding import Column, Encoding, category_column, number_column, unreadable_note
from ml_jobs.own_tables.roles import holds_personal_data, names_repeating_key, panel_key, why_identifier
from ml_jobs.own_tables.writings import Texts, read_dates
from ml_jobs.task_file import Task

NO_DATE = np.datetime64("1970-01-01")  # of every row without an as-of date
FREE_TEXT = 100  # distinct texts, and this share of the values: no category
FREE_TEXT_SHARE = 0.1


@dataclass(frozen=True)
class Table:
    """Labelled rows ready for training, with the columns left out and why."""

    rows: Rows
    groups: np.ndarray  # (n,) codes: rows of one code stay on one side of every split
    encoding: Encoding
    dropped: dict[str, str]  # column: why
    notes: tuple[str, ...]
    columns: Columns  # as delivered, for segments


def labelled(task: Task, delivered: Delivered) -> Table:
    """The rows that have a label, encoded.

    Raises
    ------
    Stop
        If a column that the task names is missing or cannot be read, or the label has no such positive value, or only
        that.
    """
    check_columns(task, delivered)
    notes = list(delivered.notes)
    label_of = Columns(delivered, task.reading).texts(task.label)
    known = label_of.present
    if not known.all():
        notes.append(f"{counted(int((~known).sum()), 'row')} without a label left out: {delivered.where(~known)}")
        delivered, label_of = delivered.take(np.flatnonzero(known)), Texts(label_of.codes[known], label_of.distinct)
    label = is_positive(task, label_of)
    dates = as_of_dates(task, delivered)
    if task.as_of_date is not None:
        order = np.lexsort((np.arange(len(dates)), dates))
        delivered, label, dates = delivered.take(order), label[order], dates[order]
    columns = Columns(delivered, task.reading, task.categorical)
    names, dropped = _screened(task, columns)
    encoded = [_encoding_of(task, name, columns, dropped) for name in names]
    encoding = Encoding(tuple(column for column in encoded if column.name not in dropped))
    if not encoding.columns:
        why = "; ".join(f"{name}: {reason}" for name, reason in dropped.items())
        raise Stop(f"{delivered.name}: no column is left to learn from ({why})", "name columns under `features`")
    notes += [
        unreadable_note(column.name, columns.read(column.name, column.kind == "number"), columns)
        for column in encoding.columns
        if column.kind != "category" and column.unreadable
    ]
    values = encoding.encode(columns, dates)
    entity = entities(task, delivered)
    groups, of_groups = _groups(task, columns, entity, encoding)
    rows = Rows(encoding.encoded, entity, dates, values, label)
    return Table(rows, groups, encoding, dropped, (*notes, *of_groups), columns)


def with_excluded(task: Task, table: Table) -> Table:
    """The table with the columns that the task file excludes, as far as they could be features."""
    columns = table.columns
    usable = [
        name
        for name in task.exclude
        if name in columns.delivered.frame
        and not why_unusable(name, columns, is_named=False, has_dates=task.as_of_date is not None)
        and not columns[name].question
    ]
    unlearnable: dict[str, str] = {}
    found = [_encoding_of(task.model_copy(update={"features": None}), name, columns, unlearnable) for name in usable]
    added = Encoding(tuple(column for column in found if column.name not in unlearnable))
    if not added.columns:
        return table
    encoding = Encoding((*table.encoding.columns, *added.columns))
    values = np.hstack([table.rows.values, added.encode(columns, table.rows.as_of_date)])
    return replace(table, encoding=encoding, rows=replace(table.rows, columns=encoding.encoded, values=values))


def entities(task: Task, delivered: Delivered) -> np.ndarray:
    """(n,) keys as text, as delivered; None where there is none; the row's place without an entity."""
    if task.entity is None:
        return np.array([str(place) for place in delivered.places], dtype=object)
    keys = delivered.frame[task.entity]
    if pd.api.types.is_float_dtype(keys):
        return np.array([None if value != value else text_of(value) for value in keys], dtype=object)
    return np.array([None if pd.isna(key) else str(key) for key in keys], dtype=object)


def as_of_dates(task: Task, delivered: Delivered) -> np.ndarray:
    """(n,) datetime64[D] by the bank's clock; without an as-of date all rows have one date.

    Raises
    ------
    Stop
        If a row has none, or day and month cannot be told apart.
    """
    name = task.as_of_date
    if name is None:
        return np.full(len(delivered.frame), NO_DATE, dtype="datetime64[D]")
    column = delivered.frame[name]
    if pd.api.types.is_datetime64_any_dtype(column):
        days = column.to_numpy().astype("datetime64[D]")
    else:
        columns = Columns(delivered, task.reading)
        read = read_dates(columns.texts(name), delivered.utc_offset)
        if read is None:
            lacking = np.ones(len(column), dtype=bool)
            raise _no_date(name, lacking, delivered)
        order, question = columns.order(name, read)
        if question:
            raise Stop(f"as_of_date: {name}: {question}")
        days = columns.texts(name).spread(read.days[order], np.datetime64("NaT"))
    if np.isnat(days).any():
        raise _no_date(name, np.isnat(days), delivered)
    return days


def _no_date(name: str, rows: np.ndarray, delivered: Delivered) -> Stop:
    count = counted(int(rows.sum()), "row")
    return Stop(f"as_of_date: {name} is no date in {count} ({delivered.where(rows)})", "deliver YYYY-MM-DD")


def is_positive(task: Task, label: Texts) -> np.ndarray:
    """(n,) 0 or 1.

    Raises
    ------
    Stop
        If no row, or every row, has the task's positive value.
    """
    of_distinct = np.array([_answer(text_of(text)) for text in label.distinct.to_pylist()], dtype=object)
    positive = (of_distinct == _answer(text_of(task.positive)))[label.codes]
    if not positive.any() or positive.all():
        texts = label.distinct.take(np.argsort(-label.counts, kind="stable")[:8]).to_pylist()
        values = ", ".join(map(repr, texts))
        raise Stop(
            f"positive: {task.positive!r} is the label of {positive.sum():,} of {counted(len(positive), 'row')}; "
            f"{task.label} holds {values}",
            "name one of them, and deliver both kinds of rows",
        )
    return positive.astype(np.int8)


def check_columns(task: Task, delivered: Delivered) -> None:
    """Stop if the table lacks a column that the task names."""
    named = {"label": task.label, "entity": task.entity, "as_of_date": task.as_of_date, "groups": task.groups}
    for key in ("features", "categorical", "segments", "fairness"):
        named |= {f"{key} ({name})": name for name in getattr(task, key) or ()}
    there = delivered.names
    for key, name in named.items():
        if name is not None and name not in there:
            alike = [column for column in there if column.strip().lower() == name.strip().lower()]
            meant = f"did you mean {alike[0]}?" if alike else f"it has {', '.join(there)}"
            raise Stop(f"{key}: {delivered.name} has no column {name}", meant)


def _screened(task: Task, columns: Columns) -> tuple[list[str], dict[str, str]]:
    """Columns that can be features, and why the others cannot."""
    dropped, names = dict(task.exclude), []
    roles = {task.label, task.entity, task.as_of_date, task.groups}
    for name in columns.delivered.names if task.features is None else task.features:
        if name in roles or name in dropped:
            continue
        is_named = name in task.categorical or task.features is not None
        if why := why_unusable(name, columns, is_named, has_dates=task.as_of_date is not None):
            if is_named and task.features is not None:
                raise Stop(f"features ({name}): {why}", "take it out, or mend the column")
            dropped[name] = why
            continue
        read = columns.read(name, is_named)
        if read.question:
            raise Stop(f"{name}: {read.question}", f"or exclude {name}")
        names.append(name)
    return names, dropped


def why_unusable(name: str, columns: Columns, is_named: bool, has_dates: bool) -> str:
    """Why a column can be no feature; empty if it can.

    Parameters
    ----------
    is_named : bool
        The task file names it: only what cannot be learned from at all is refused.
    has_dates : bool
        There is an as-of date, from which to count days.
    """
    if why := columns.delivered.unusable.get(name):
        return why
    read = columns.read(name, is_named)
    count = int(read.present.sum())
    if count == 0:
        return "always missing"
    if is_named:
        return read.useless
    if read.distinct == 1 and count == len(read.present):
        return f"always {columns.texts(name).distinct[0].as_py()!r}"
    if why := why_identifier(name, columns):
        return why
    if holds_personal_data(name, columns):
        return "personal data"
    if names_repeating_key(name, columns):
        return f"a key that repeats ({read.distinct:,} values): name it as `entity` or `groups`"
    if read.kind == "days" and not has_dates:
        return "a date, with no as-of date to count from"
    if read.useless:
        return read.useless
    if read.kind == "category" and read.distinct > max(FREE_TEXT, FREE_TEXT_SHARE * count):
        what = "codes of digits" if read.is_code else f"free text{_almost_numbers(name, columns)}"
        return f"{what}: {read.distinct:,} values in {counted(count, 'row')}"
    return ""


def _almost_numbers(name: str, columns: Columns) -> str:
    """That a text is full of digits: numbers, perhaps, in a writing that is not known."""
    distinct = columns.texts(name).distinct.to_pylist()
    digits = sum(any(sign.isdigit() for sign in text) and not any(sign.isalpha() for sign in text) for text in distinct)
    return " (digits: numbers in a writing that is not known?)" if digits > 0.5 * len(distinct) else ""


def _encoding_of(task: Task, name: str, columns: Columns, dropped: dict[str, str]) -> Column:
    read = columns.read(name, as_number=task.features is not None)
    if read.kind != "category":
        return number_column(name, read)
    levels = _levels(read)
    if not levels:
        if task.features is not None:
            raise Stop(f"features ({name}): no value is frequent enough to learn from", "take it out")
        dropped[name] = "no value is frequent enough to learn from"
    return category_column(name, read, levels)


def _levels(read: Read) -> tuple[str, ...]:
    texts = np.append(read.levels, "(missing)")
    counts = np.bincount(np.where(read.values < 0, len(read.levels), read.values), minlength=len(texts))
    # The most frequent first; of equally frequent ones the one that comes first.
    frequent = np.flatnonzero(counts >= max(1, least_rows(len(read.values))))
    frequent = frequent[np.argsort(-counts[frequent], kind="stable")]
    levels = sorted(texts[frequent[:LEVELS]].tolist())
    if len(levels) == len(frequent) == (counts > 0).sum() == 2:
        levels = levels[1:]  # one of two levels is enough
    return tuple(levels)


def _groups(task: Task, columns: Columns, entity: np.ndarray, encoding: Encoding) -> tuple[np.ndarray, list[str]]:
    """Codes of the rows that must stay together, and what is to be said of them."""
    delivered, notes = columns.delivered, []
    codes = [_one_each(pd.factorize(delivered.frame[task.groups] if task.groups else entity)[0])]
    if task.entity and (without := np.array([key is None for key in entity])).any():
        count = counted(int(without.sum()), "row")
        notes.append(f"{count} without {task.entity}, each of somebody else: {delivered.where(without)}")
    if task.entity is None and task.groups is None:
        for name, why in _keys_not_named(task, columns):
            codes.append(_one_each(columns.codes(name)))
            notes.append(f"{why}: its rows stay on one side of every split; name it as `entity` or `groups`")
    alike = _alike(columns, list(dict.fromkeys(encoding.source)))
    if repeated := len(alike) - len(np.unique(alike)):
        repeat, stay = ("repeats", "it stays") if repeated == 1 else ("repeat", "they stay")
        notes.append(f"{counted(repeated, 'row')} {repeat} another row's features: {stay} on one side of every split")
    return _together([*codes, alike]), notes


def _keys_not_named(task: Task, columns: Columns) -> list[tuple[str, str]]:
    """Keys that repeat, though the task file names neither entity nor groups, and what shows it."""
    roles = {task.label, task.as_of_date}
    named = [name for name in columns.delivered.names if name not in roles and names_repeating_key(name, columns)]
    if named:
        return [(name, f"{name} repeats") for name in named]
    found = panel_key(columns, roles)
    return [(found.column, f"{found.column} repeats ({found.why})")] if found else []


def _one_each(codes: np.ndarray) -> np.ndarray:
    """Codes in which a row without a key (-1) is for itself alone."""
    return np.where(codes < 0, codes.max() + 1 + np.arange(len(codes)), codes)


def _alike(columns: Columns, features: list[str]) -> np.ndarray:
    """(n,) codes: rows of one code hold the same in all features."""
    codes = pd.DataFrame({name: columns.codes(name) for name in features})
    return pd.factorize(pd.util.hash_pandas_object(codes, index=False))[0]


def _together(codes: list[np.ndarray]) -> np.ndarray:
    """Rows that share a code in any of the lists, directly or through others, get one code."""
    joined = pd.factorize(codes[0])[0]
    for other in codes[1:]:
        theirs = joined.max() + 1 + pd.factorize(other)[0]
        edges = coo_array((np.ones(len(joined)), (joined, theirs)), shape=(theirs.max() + 1,) * 2)
        joined = pd.factorize(connected_components(edges, directed=False)[1][joined])[0]
    return joined


def _answer(text: str) -> str:
    """One spelling of yes and no: YAML reads an unquoted yes as true."""
    return {"true": "1", "yes": "1", "false": "0", "no": "0"}.get(text.lower(), text)
