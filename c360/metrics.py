"""Figures by name: what dbt's semantic models define, answered on the published store by MetricFlow's SQL.

A metric is defined once, under ``dbt_project/models/semantic``; commands, reports and the demonstration ask here. A
figure of a date (customers, assets) is that of the last date of a period; others are sums over it.
"""

from __future__ import annotations

import datetime as dt
import logging
import re
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn

import pyarrow as pa

from lakehouse import warehouse
from lakehouse.contracts import load_deployment
from lakehouse.errors import Stop
from lakehouse.settings import Settings
from lakehouse.sql import literal
from lakehouse.warehouse import dbt
from lakehouse.warehouse.comments import FRACTION

if TYPE_CHECKING:
    from collections.abc import Generator

    from metricflow.engine.metricflow_engine import MetricFlowEngine
    from metricflow.protocols.sql_client import SqlEngine
    from metricflow.sql.render.sql_plan_renderer import SqlPlanRenderer
    from metricflow_semantic_interfaces.implementations.semantic_manifest import PydanticSemanticManifest

TIMES = ("day", "week", "month", "quarter", "year")
CURRENCY, SHARE = "currency", "share"  # units of metrics that are shown in other words


@dataclass(frozen=True)
class Metric:
    """What a metric is."""

    name: str
    label_en: str
    label_zh: str
    description_en: str
    description_zh: str
    unit: str
    dimensions: tuple[str, ...]  # by which it can be divided, besides `TIMES`


@dataclass(frozen=True)
class Figures:
    """The answer to a question: a row per combination of ``by``, in their order, then the metrics."""

    metrics: tuple[Metric, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]  # a date, text or number per column


def list_metrics(settings: Settings) -> list[Metric]:
    """Every metric that is defined, by name."""
    return _described(settings, _engine(settings))


def _described(settings: Settings, engine: _Engine) -> list[Metric]:
    currency = load_deployment(settings.deployment).currency
    found = []
    for metric in engine.manifest.metrics:
        if "label_zh" not in _meta(metric):
            continue  # a part of others
        found.append(
            Metric(
                name=metric.name,
                label_en=metric.label or metric.name,
                label_zh=_meta(metric)["label_zh"],
                description_en=(metric.description or "").strip(),
                description_zh=_meta(metric)["description_zh"],
                unit={CURRENCY: currency, SHARE: FRACTION}.get(_meta(metric)["unit"], _meta(metric)["unit"]),
                dimensions=tuple(sorted(engine.dimensions(metric.name))),
            )
        )
    return sorted(found, key=lambda metric: metric.name)


def query_metrics(
    settings: Settings,
    names: Sequence[str],
    by: Sequence[str] = (),
    first: dt.date | None = None,
    last: dt.date | None = None,
    only: Mapping[str, str] = MappingProxyType({}),
) -> Figures:
    """The figures of metrics, as the store that readers see has them.

    Parameters
    ----------
    by : sequence of str
        Dimensions, or one of `TIMES`, that divide the figures.
    first, last : date, optional
        The period, both days included; without them, all that there is.
    only
        Dimension -> the value to which the figures are cut.

    Raises
    ------
    Stop
        If there is no such metric or dimension; the message names those that there are.
    """
    engine = _engine(settings)
    known = {metric.name: metric for metric in _described(settings, engine)}
    if unknown := [name for name in names if name not in known]:
        raise Stop(f"there is no metric {unknown[0]}", f"ask for one of {', '.join(known)}")
    metrics = tuple(known[name] for name in names)
    columns = [engine.qualified(names, one) for one in by]
    table = warehouse.query_serving(settings, engine.sql(names, by, first, last, only)).select([*columns, *names])
    return Figures(metrics, (*by, *names), tuple(_rows(table, len(by))))


def metric_sql(
    settings: Settings,
    names: Sequence[str],
    by: Sequence[str] = (),
    first: dt.date | None = None,
    last: dt.date | None = None,
) -> str:
    """The SQL by which `query_metrics` asks the store, for instance for a dashboard."""
    return _engine(settings).sql(names, by, first, last)


def definitions(settings: Settings) -> PydanticSemanticManifest:
    """The semantic models and metrics themselves, over the tables that readers see."""
    return _engine(settings).manifest


def _rows(table: pa.Table, keys: int) -> list[tuple[Any, ...]]:
    rows = [tuple(row.values()) for row in table.to_pylist()]
    plain = [tuple(cell.date() if isinstance(cell, dt.datetime) else cell for cell in row) for row in rows]
    return sorted(plain, key=lambda row: [(cell is None, cell if cell is not None else 0) for cell in row[:keys]])


def _meta(metric: Any) -> Mapping[str, str]:  # the type is MetricFlow's alone
    return (metric.config.meta if metric.config else None) or {}


def _engine(settings: Settings) -> _Engine:
    day = str(warehouse.last_published(settings))
    text = dbt.semantic_manifest(settings, {"business_date": day, "from_date": day, "as_of_dates": [day]})
    return _engine_of(text, settings.target)


@cache
def _engine_of(manifest: str, target: str) -> _Engine:
    return _Engine(manifest, target)


class _Engine:
    """MetricFlow over one version of the definitions; it writes SQL, and asks no database."""

    def __init__(self, manifest: str, target: str) -> None:
        from metricflow.engine.metricflow_engine import MetricFlowEngine
        from metricflow_semantics.model.dbt_manifest_parser import parse_manifest_from_dbt_generated_manifest
        from metricflow_semantics.model.semantic_manifest_lookup import SemanticManifestLookup

        published = re.sub(r'\\"[^"\\]+\\"\.\\"build_(\w+)\\"\.\\"(\w+)\\"', r"\1.\2", manifest)
        with _quiet():
            self.manifest = parse_manifest_from_dbt_generated_manifest(published)
            self._engine: MetricFlowEngine = MetricFlowEngine(SemanticManifestLookup(self.manifest), _Writer(target))

    @cache  # noqa: B019  as many as there are metrics
    def dimensions(self, metric: str) -> dict[str, str]:
        """The dimensions of a metric by their short names; where two have one, that of the metric's own rows."""
        from metricflow_semantic_interfaces.type_enums import DimensionType

        with _quiet():
            found = self._engine.simple_dimensions_for_metrics([metric])
        named: dict[str, str] = {}
        for dimension in sorted(found, key=lambda one: (len(one.entity_links), one.granularity_free_dunder_name)):
            if dimension.type is DimensionType.CATEGORICAL:
                own = dimension.granularity_free_dunder_name
                named.setdefault(dimension.name, own) if own.startswith("customer__") else named.update(
                    {dimension.name: own}
                )
        return named

    def sql(
        self,
        names: Sequence[str],
        by: Sequence[str],
        first: dt.date | None,
        last: dt.date | None,
        only: Mapping[str, str] = MappingProxyType({}),
    ) -> str:
        """The SQL of a question."""
        from metricflow.engine.metricflow_engine import MetricFlowQueryRequest

        parts = [
            f"{{{{ Dimension('{self.qualified(names, name)}') }}}} = {literal(value)}" for name, value in only.items()
        ]

        request = MetricFlowQueryRequest.create(
            metric_names=list(names),
            group_by_names=[self.qualified(names, one) for one in by] or None,
            # MetricFlow's own time constraint grows to whole months where a question is by month.
            where_constraints=[
                f"{{{{ TimeDimension('metric_time', 'day') }}}} {sign} '{day}'"
                for sign, day in ((">=", first), ("<=", last))
                if day
            ]
            + parts
            or None,
        )
        with _quiet():
            return self._engine.explain(request).sql_statement.sql

    def qualified(self, names: Sequence[str], dimension: str) -> str:
        """MetricFlow's name of a dimension, which is also the column of the answer."""
        if dimension in TIMES:
            return f"metric_time__{dimension}"
        for name in names:
            if dimension not in self.dimensions(name):
                there = ", ".join([*TIMES, *sorted(self.dimensions(name))])
                raise Stop(f"{name} cannot be divided by {dimension}", f"ask by one of {there}")
        return self.dimensions(names[0])[dimension]


class _Writer:
    """What MetricFlow asks of a database's client; it is only asked for its dialect."""

    def __init__(self, target: str) -> None:
        from metricflow.protocols.sql_client import SqlEngine
        from metricflow.sql.render.duckdb_renderer import DuckDbSqlPlanRenderer
        from metricflow.sql.render.postgres import PostgresSQLSqlPlanRenderer

        self.sql_engine_type: SqlEngine = {"duckdb": SqlEngine.DUCKDB, "postgres": SqlEngine.POSTGRES}[target]
        self.sql_plan_renderer: SqlPlanRenderer = (
            DuckDbSqlPlanRenderer() if target == "duckdb" else PostgresSQLSqlPlanRenderer()
        )

    def render_bind_parameter_key(self, bind_parameter_key: str) -> str:
        """How a parameter stands in SQL."""
        return f"${bind_parameter_key}"

    def close(self) -> None:
        """Nothing is open."""

    def query(self, *_: object, **__: object) -> NoReturn:
        """The store is asked by `lakehouse.warehouse` alone."""
        raise NotImplementedError

    execute = dry_run = query


@contextmanager
def _quiet() -> Generator[None]:
    """MetricFlow reports at length to the log what it plans."""
    before = logging.root.manager.disable
    logging.disable(logging.INFO)
    try:
        yield
    finally:
        logging.disable(before)
