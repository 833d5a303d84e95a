"""Reading features and labels from the build engine, as of a date: only the columns and dates that are needed."""

from collections.abc import Collection, Sequence
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakehouse import warehouse
from lakehouse.errors import Stop
from lakehouse.settings import Settings
from lakehouse.sql import literal
from ml_jobs.errors import CannotScore
from ml_jobs.learning.rows import NONE, Rows
from ml_jobs.purposes import not_refused
from ml_jobs.scores.months import LabelledMonth
from ml_jobs.task_file import Task, said_by

KEYS = ("customer_key", "as_of_date")


def feature_columns(settings: Settings, task: Task) -> tuple[str, ...]:
    """The features of the task's table, in alphabetical order, without those that the task excludes.

    Nor is a column learned from that says a feature of the table (`said_by`), unless the task names it.

    Raises
    ------
    ValueError
        If a column is neither a number nor a key.
    """
    schema = warehouse.query(settings, f"select * from build_{task.table} limit 0").schema
    features = [field for field in schema if field.name not in (*KEYS, *task.exclude)]
    if task.features is None:
        saying = {said_by().get(field.name) for field in features}
        features = [field for field in features if field.name not in saying]
    else:
        features = [field for field in features if field.name in task.features]
    if texts := [field.name for field in features if not _is_number(field.type)]:
        raise Stop(f"{task.table}: {', '.join(texts)} must be numbers: encode them in the features model")
    return tuple(sorted(field.name for field in features))


def labelled_months(settings: Settings, task: Task, known_by: date) -> list[LabelledMonth]:
    """The month-ends whose labels were ripe by ``known_by``, oldest first."""
    table = warehouse.query(
        settings,
        f"""
        select
            labels.as_of_date,
            max(labels.ripe_date) as ripe_date,
            cast(count(*) as bigint) as row_count,
            cast(sum(labels."{task.label}") as bigint) as positive_count
        from build_{task.labels} as labels
        {_features_of_labels(task) if task.population else ""}
        where labels.ripe_date <= {literal(known_by)} and labels.horizon_days = {task.horizon_days}
            {_population(task) if task.population else f"and {not_refused(task.task, 'labels')}"}
        group by labels.as_of_date
        order by labels.as_of_date
        """,
    )
    months = [LabelledMonth(*row.values()) for row in table.to_pylist()]
    return [month for month in months if (month.as_of_date + timedelta(days=1)).day == 1]


def read_labelled(
    settings: Settings,
    task: Task,
    columns: tuple[str, ...],
    dates: tuple[date, ...],
    known_by: date,
    share: float = 1.0,
) -> Rows:
    """Features with their labels at ``dates``; a label that was not ripe by ``known_by`` is not read.

    Parameters
    ----------
    share : float
        Of the customers, 0 to 1. Every engine and date reads the same customers, with all their rows.
    """
    table = warehouse.query(
        settings,
        f"""
        select
            features.customer_key,
            features.as_of_date,
            cast(labels."{task.label}" as integer) as label{_reals(columns)}
            {f', cast(labels."{task.treatment}" as integer) as treated' if task.treatment else ""}
        from build_{task.labels} as labels
        {_features_of_labels(task)}
        where features.as_of_date in ({", ".join(map(literal, dates))})
            and labels.ripe_date <= {literal(known_by)}
            and labels.horizon_days = {task.horizon_days}
            and {_is_sampled(share)}
            {_population(task)}
        """,
    )
    return _rows(table, columns)


def read_features(settings: Settings, task: Task, columns: tuple[str, ...], as_of_date: date) -> Rows:
    """The features at ``as_of_date`` of every customer in the task's population.

    Raises
    ------
    ValueError
        If the features of that date are not built.
    CannotScore
        If the population is empty on that date.
    """
    table = warehouse.query(
        settings,
        f"""
        select features.customer_key, features.as_of_date{_reals(columns)}
        from build_{task.table} as features
        where features.as_of_date = {literal(as_of_date)}
            {_population(task)}
        """,
    )
    population = task.population_above
    if not table.num_rows and population:
        feature, limit = population
        raise CannotScore(f"{task.table} has no customer at {as_of_date} with {feature} above {limit:g}")
    if not table.num_rows and _is_built(settings, as_of_date):
        raise CannotScore(f"{task.table} has nobody at {as_of_date}: the bank has no feed that tells of them")
    if not table.num_rows:
        raise Stop(f"{task.table} has no customer at {as_of_date}: build that business date first")
    return _rows(table, columns)


def _is_built(settings: Settings, as_of_date: date) -> bool:
    """Whether any customer has features on the date."""
    statement = f"select 1 from build_features.customer_features where as_of_date = {literal(as_of_date)} limit 1"
    return bool(warehouse.query(settings, statement).num_rows)


def read_month_ends(settings: Settings, task: Task, columns: tuple[str, ...], known_by: date, rows: int) -> Rows:
    """The features of every month-end up to ``known_by``, of a sample of customers with about ``rows`` rows in all.

    A record that was merged into another customer is left out: it ends without the customer having left the bank.
    """
    condition = f"""
        features.as_of_date <= {literal(known_by)}
        and {not_refused(task.task, "features")}
        and extract(day from features.as_of_date + interval '1 day') = 1
        and not exists (
            select 1
            from raw.customer_xref as xref
            where xref.party_key = features.customer_key
                and xref.customer_key <> xref.party_key
                and xref.valid_from <= {literal(known_by)}
        )
    """
    source = f"from build_{task.table} as features where {condition}"
    total = warehouse.query(settings, f"select count(*) {source}").column(0)[0].as_py()
    share = min(1.0, rows / max(1, total))
    table = warehouse.query(
        settings,
        f"""
        select features.customer_key, features.as_of_date{_reals(columns)}
        {source} and {_is_sampled(share)}
        """,
    )
    return _rows(table, columns)


def read_features_of(
    settings: Settings, task: Task, columns: tuple[str, ...], as_of_date: date, customers: Collection[str]
) -> Rows:
    """The features at ``as_of_date`` of these customers, whether or not they are in the task's population."""
    table = warehouse.query(
        settings,
        f"""
        select features.customer_key, features.as_of_date{_reals(columns)}
        from build_{task.table} as features
        where features.as_of_date = {literal(as_of_date)}
            and features.customer_key in ({", ".join(map(literal, sorted(customers)))})
        """,
    )
    return _rows(table, columns)


def count_customers(settings: Settings, task: Task, as_of_date: date) -> int:
    """How many customers `read_features` reads."""
    table = warehouse.query(
        settings,
        f"""
        select count(*) as customers
        from build_{task.table} as features
        where features.as_of_date = {literal(as_of_date)}
            {_population(task)}
        """,
    )
    return table["customers"][0].as_py()


def read_group_columns(settings: Settings, names: Sequence[str], rows: Rows) -> dict[str, np.ndarray]:
    """Columns that tell groups of rows apart, from the features or else from ``marts.dim_customer``."""
    columns = {name: rows.column(name) for name in names if name in rows.columns}
    profiles = tuple(dict.fromkeys(name for name in names if name not in rows.columns))
    return columns | (read_profiles(settings, profiles, rows) if profiles else {})


def read_profiles(settings: Settings, columns: tuple[str, ...], rows: Rows) -> dict[str, np.ndarray]:
    """Columns of ``marts.dim_customer`` as they were on each row's as-of date; None where nothing is known.

    They serve only to compare groups of people: gender and city are not features.
    """
    table = warehouse.query(
        settings,
        f"select customer_key, valid_from, valid_to, {', '.join(columns)} from build_marts.dim_customer",
    )
    profiles: dict[str, np.ndarray] = {name: np.full(len(rows.customer), None, dtype=object) for name in columns}
    for day in np.unique(rows.as_of_date):
        date_ = pa.scalar(day.item())
        open_end = pc.is_null(table["valid_to"])
        holds = pc.and_(
            pc.less_equal(table["valid_from"], date_),
            pc.or_(open_end, pc.fill_null(pc.greater(table["valid_to"], date_), False)),
        )
        held = table.filter(holds)
        place = {key: position for position, key in enumerate(held["customer_key"].to_pylist())}
        of_day = np.flatnonzero(rows.as_of_date == day)
        at = np.array([place.get(key, -1) for key in rows.customer[of_day]])
        for name in columns:
            values = np.array([*held[name].to_pylist(), None], dtype=object)
            profiles[name][of_day] = values[at]
    return profiles


def _rows(table: pa.Table, columns: tuple[str, ...]) -> Rows:
    order = pc.sort_indices(table, [(name, "ascending") for name in ("as_of_date", "customer_key")]).to_numpy()
    values = np.empty((table.num_rows, len(columns)), dtype=np.float32, order="F")
    for position, name in enumerate(columns):
        values[:, position] = table[name].to_numpy()[order]
        if np.isinf(values[:, position]).any():
            raise Stop(f"feature {name} is infinite for some customer: guard its division in the features model")
    return Rows(
        columns,
        table["customer_key"].to_numpy()[order],
        table["as_of_date"].to_numpy().astype("datetime64[D]")[order],
        values,
        *(
            table[name].to_numpy()[order].astype(np.int8) if name in table.column_names else NONE
            for name in ("label", "treated")
        ),
    )


def _reals(columns: tuple[str, ...]) -> str:
    """Single precision: half the memory, and without the last bits, in which engines and thread counts differ."""
    return "".join(f', cast(features."{name}" as real) as "{name}"' for name in columns)


def _features_of_labels(task: Task) -> str:
    return (
        f"inner join build_{task.table} as features "
        "on features.customer_key = labels.customer_key and features.as_of_date = labels.as_of_date"
    )


def _is_sampled(share: float) -> str:
    """A sample that is the same on every engine and date."""
    return f"substring(md5(features.customer_key), 1, 6) <= '{int(share * 0xFFFFFF):06x}'"


def _population(task: Task) -> str:
    """Who may be scored, and is in the task's population."""
    allowed = f"and {not_refused(task.task, 'features')}"
    population = task.population_above
    if population is None:
        return allowed
    feature, limit = population
    return f'{allowed} and features."{feature}" > {limit!r}'


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind)
