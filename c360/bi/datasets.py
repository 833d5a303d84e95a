"""What charts are drawn from: a dataset per semantic model, with its metrics, and per table that a chart shows."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import pyarrow as pa

from c360 import metrics
from c360.bi.specs import Words
from lakehouse import warehouse
from lakehouse.contracts import load_deployment
from lakehouse.errors import Stop
from lakehouse.language import Voice
from lakehouse.settings import Settings

if TYPE_CHECKING:
    from metricflow_semantic_interfaces.implementations.elements.entity import PydanticEntity
    from metricflow_semantic_interfaces.implementations.metric import PydanticMetric
    from metricflow_semantic_interfaces.implementations.semantic_manifest import PydanticSemanticManifest
    from metricflow_semantic_interfaces.implementations.semantic_model import PydanticSemanticModel

DAYS_BEFORE_LAST, LAST_OF_MONTH = "days_before_last", "is_last_of_month"
ADDED = {
    DAYS_BEFORE_LAST: "Days before the last date of these rows: 0 is that date [days]",
    LAST_OF_MONTH: "Whether the date is the last of its month in these rows; a figure of a date is shown on those",
}
COUNT = Words(en="Rows", zh="行数")
UNSUPPORTED = "a dashboard needs sums, their ratios and what is derived from these, of one semantic model"


@dataclass(frozen=True)
class Column:
    """A column of a dataset."""

    name: str
    type: str  # as Superset knows it
    words: Words
    description: str


@dataclass(frozen=True)
class Figure:
    """An expression over the rows of a dataset, for instance a metric."""

    name: str
    expression: str
    words: Words
    description: Words
    unit: str


@dataclass(frozen=True)
class Dataset:
    """A question whose rows charts add up."""

    name: str
    statement: str
    columns: tuple[Column, ...]
    figures: tuple[Figure, ...]
    time: str | None  # the column of its dates
    of_a_date: frozenset[str] = field(default=frozenset())  # figures that are no sums over dates

    @cached_property
    def by_name(self) -> Mapping[str, Column | Figure]:
        """Columns and figures."""
        return {one.name: one for one in (*self.columns, *self.figures)}


class Datasets:
    """The datasets of a store.

    Raises
    ------
    Stop
        If nothing is published, or, when asked, if there is no such metric or table.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.currency = load_deployment(settings.deployment).currency
        self._manifest = metrics.definitions(settings)
        self._metrics = {metric.name: metric for metric in metrics.list_metrics(settings)}
        with warehouse.shown(settings) as shown:
            self._comments = {(table, column): comment or "" for table, column, comment in shown.comments}
        models = (_Model(model, self._manifest) for model in self._manifest.semantic_models)
        self._models = {model.name: model for model in models}
        self._tables: dict[str, Dataset] = {}

    @cached_property
    def products(self) -> Mapping[str, str]:
        """The bank's name of each product, by its code."""
        rows = warehouse.query_serving(self._settings, "select product_code, product_name from marts.dim_product")
        return {row["product_code"]: row["product_name"] for row in rows.to_pylist()}

    def of_metrics(self, names: Sequence[str]) -> Dataset:
        """The dataset that has all of these metrics."""
        for name in names:
            if name not in self._metrics:
                raise Stop(f"there is no metric {name}", "`c360 metrics list` names those that there are")
        models = {model for name in names for model in self._models_of(name)}
        if len(models) != 1:
            raise Stop(f"{', '.join(names)} are figures of {', '.join(sorted(models))}", UNSUPPORTED)
        return next(dataset for dataset in self.of_models if dataset.name in models)

    @cached_property
    def of_models(self) -> tuple[Dataset, ...]:
        """The datasets of all metrics."""
        models = sorted({model for name in self._metrics for model in self._models_of(name)})
        return tuple(self._of_model(self._models[name]) for name in models)

    def of_table(self, table: str) -> Dataset:
        """The dataset of a published table."""
        if (table, None) not in self._comments:
            raise Stop(f"there is no table {table}", "ANALYST.md names those that there are")
        if table not in self._tables:
            statement = f"select * from {table}"
            columns = self._columns(statement, {name: (table, name) for name in self._schema(statement).names})
            times = [column.name for column in columns if column.type == "DATE"]
            count = Figure("row_count", "count(*)", COUNT, Words(en="", zh=""), "rows")
            self._tables[table] = Dataset(table, statement, columns, (count,), times[0] if times else None)
        return self._tables[table]

    def _models_of(self, name: str) -> set[str]:
        metric = _metric(self._manifest, name)
        if not (inputs := _inputs(metric)):
            return {_measure(metric).model}
        return {model for one in inputs for model in self._models_of(one)}

    def _of_model(self, model: "_Model") -> Dataset:
        figures = [
            Figure(
                name,
                _expression(self._manifest, name),
                Words(en=metric.label_en, zh=metric.label_zh),
                Words(en=metric.description_en, zh=metric.description_zh),
                metric.unit,
            )
            for name, metric in self._metrics.items()
            if self._models_of(name) == {model.name}
        ]
        of_a_date = {figure.name for figure in figures if model.is_of_a_date(_parts(self._manifest, figure.name))}
        columns = self._columns(model.statement, model.origins)
        return Dataset(model.name, model.statement, columns, tuple(figures), model.time, frozenset(of_a_date))

    def _columns(self, statement: str, origins: Mapping[str, tuple[str, str] | None]) -> tuple[Column, ...]:
        return tuple(
            Column(
                one.name,
                _type(one.type),
                Words(en=Voice("en").column(one.name), zh=Voice("zh").column(one.name)),
                ADDED.get(one.name) or self._comments.get(origins.get(one.name) or ("", ""), ""),
            )
            for one in self._schema(statement)
        )

    def _schema(self, statement: str) -> pa.Schema:
        return warehouse.query_serving(self._settings, f"select * from ({statement}) as asked limit 0").schema


class _Model:
    """A semantic model as rows: its dimensions, those of the customers whom it names, and its measures."""

    def __init__(self, model: "PydanticSemanticModel", manifest: "PydanticSemanticManifest") -> None:
        self.name, self.table = model.name, model.node_relation.relation_name
        self.time = _time(model)
        self._dated = {one.name for one in model.measures if one.non_additive_dimension}
        own = {one.name: one.expr or one.name for one in (*model.dimensions, *model.measures)}
        self.origins: dict[str, tuple[str, str] | None] = {name: (self.table, expr) for name, expr in own.items()}
        shown = [f"{expr} as {name}" if expr != name else name for name, expr in own.items()]
        day = own[self.time]
        shown.append(f"(select max({day}) from {self.table}) - {day} as {DAYS_BEFORE_LAST}")
        if self._dated:
            lasts = f"select max({day}) from {self.table} group by date_trunc('month', {day})"
            shown.append(f"{day} in ({lasts}) as {LAST_OF_MONTH}")
        self._keys: list[str] = []
        self._joins: list[str] = []
        added = [DAYS_BEFORE_LAST, *([LAST_OF_MONTH] if self._dated else [])]
        chosen = [f"own.{name}" for name in (*own, *added)]
        for entity in model.entities:
            for other in manifest.semantic_models:
                if other.name != model.name and any(_is_primary(one, entity.name) for one in other.entities):
                    chosen += self._join(entity.name, entity.expr or entity.name, other)
        own_rows = f"select {', '.join([*shown, *self._keys])} from {self.table}"
        self.statement = (
            f"select {', '.join(chosen)} from ({own_rows}) as own {' '.join(self._joins)}" if self._joins else own_rows
        )

    def _join(self, entity: str, key: str, other: "PydanticSemanticModel") -> list[str]:
        """Give each row the dimensions of what it names, as MetricFlow does; returns their columns."""
        (primary,) = (one for one in other.entities if one.name == entity)
        theirs = {one.name: one.expr or one.name for one in other.dimensions if one.type.value == "categorical"}
        theirs = {name: expr for name, expr in theirs.items() if name not in self.origins}
        if not theirs:
            return []
        table = other.node_relation.relation_name
        columns = ", ".join(f"max({expr}) as {name}" for name, expr in theirs.items())
        self._keys.append(f"{key} as {entity}_of_row")
        key_of_other = primary.expr or entity
        # Grouped by its key, of which each row has its own: engines leave a join out that a question does not need.
        self._joins.append(
            f"left join (select {key_of_other} as joined_key, {columns} from {table} group by {key_of_other}) "
            f"as {entity} on own.{entity}_of_row = {entity}.joined_key"
        )
        self.origins |= {name: (table, expr) for name, expr in theirs.items()}
        return [f"{entity}.{name}" for name in theirs]

    def is_of_a_date(self, measures: Iterable[str]) -> bool:
        """Whether a figure of these measures is that of a date, and no sum over dates."""
        return bool(self._dated & set(measures))


def _is_primary(entity: "PydanticEntity", name: str) -> bool:
    return entity.name == name and entity.type.value == "primary"


@dataclass(frozen=True)
class _Measure:
    name: str
    model: str


def _measure(metric: "PydanticMetric") -> _Measure:
    """What a metric adds up."""
    measure, how = metric.type_params.measure, metric.type_params.metric_aggregation_params
    if not measure or not how or how.agg.value != "sum" or measure.filter:
        raise Stop(f"metric {metric.name} is no plain sum", UNSUPPORTED)
    return _Measure(measure.name, how.semantic_model)


def _time(model: "PydanticSemanticModel") -> str:
    if not model.defaults or not model.defaults.agg_time_dimension:
        raise Stop(f"semantic model {model.name} has no date", UNSUPPORTED)
    return model.defaults.agg_time_dimension


def _metric(manifest: "PydanticSemanticManifest", name: str) -> "PydanticMetric":
    return next(metric for metric in manifest.metrics if metric.name == name)


def _inputs(metric: "PydanticMetric") -> list[str]:
    """The metrics that a metric is made of."""
    parameters = metric.type_params
    named = [one for one in (parameters.numerator, parameters.denominator, *(parameters.metrics or ())) if one]
    if any(one.filter or one.offset_window or one.offset_to_grain for one in named) or metric.filter:
        raise Stop(f"metric {metric.name} has a filter or an offset", UNSUPPORTED)
    return list(dict.fromkeys(one.name for one in named))


def _parts(manifest: "PydanticSemanticManifest", name: str) -> set[str]:
    """The measures that a metric is made of."""
    metric = _metric(manifest, name)
    inputs = _inputs(metric)
    return {part for one in inputs for part in _parts(manifest, one)} if inputs else {_measure(metric).name}


def _expression(manifest: "PydanticSemanticManifest", name: str) -> str:
    """A metric over the rows of its semantic model, as MetricFlow writes it."""
    metric = _metric(manifest, name)
    parts = {one: _expression(manifest, one) for one in _inputs(metric)}
    parameters = metric.type_params
    if metric.type.value == "simple":
        total = f"sum({_measure(metric).name})"
        return total if parameters.fill_nulls_with is None else f"coalesce({total}, {parameters.fill_nulls_with})"
    if metric.type.value == "ratio" and parameters.numerator and parameters.denominator:
        above, below = (parts[one.name] for one in (parameters.numerator, parameters.denominator))
        return f"cast({above} as double precision) / nullif(cast({below} as double precision), 0)"
    if metric.type.value == "derived" and parameters.expr:
        return re.sub(rf"\b({'|'.join(parts)})\b", lambda match: f"({parts[match[1]]})", parameters.expr)
    raise Stop(f"metric {name} is {metric.type.value}", UNSUPPORTED)


def _type(type_: pa.DataType) -> str:
    for is_one, name in (
        (pa.types.is_boolean, "BOOLEAN"),
        (pa.types.is_integer, "BIGINT"),
        (pa.types.is_decimal, "DECIMAL"),
        (pa.types.is_floating, "DOUBLE"),
        (pa.types.is_date, "DATE"),
        (pa.types.is_timestamp, "TIMESTAMP"),
    ):
        if is_one(type_):
            return name
    return "VARCHAR"
