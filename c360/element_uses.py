"""What readers see of a critical data element: published columns, metrics and dashboards that are made of it."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from c360.bi import specs
from c360.bi.specs import Chart, read_dashboards
from lakehouse.language import LANGUAGES
from lakehouse.warehouse.dbt import ManifestFile
from lakehouse.warehouse.derivation import Lineage, is_model, name_of

ADJUSTED_BY = "adjustments.amount"  # what is made of it, too, has the adjustments in it
MADE_FROM = (Path(__file__), *sorted(specs.FOLDER.glob("*.yml")), Path(specs.__file__))  # besides dbt's project
NOT_REPORTS = "ops."  # tables about the figures, not the figures
Row = Mapping[str, str | bool | None]  # by column of `lakehouse.catalog.ELEMENT_USES`


def uses_of(elements: Mapping[str, str], manifest: ManifestFile, lineage: Lineage) -> Iterator[Row]:
    """The uses of each element.

    Parameters
    ----------
    elements : mapping of str to str
        Published column, as ``schema.table.column``, and the one that adds it up with others.
    manifest : dict
        dbt's.
    """
    adjusted = set(lineage.columns_from(ADJUSTED_BY))
    columns_of = _columns_of_metrics(manifest)
    for element, whole in elements.items():
        made = _made_as(element, lineage) | _made_as(whole, lineage)
        derived = {element, whole}.union(*map(lineage.columns_from, made))
        columns = {name for name in derived if not name.startswith(NOT_REPORTS)}
        metrics = {name: read & columns for name, read in columns_of.items() if read & columns}
        shown = {"column": {name: {name} for name in columns}, "metric": metrics, "dashboard": {}}
        for name, dashboard in read_dashboards().items():
            charts = (chart for row in dashboard.rows for chart in row)
            if seen := set().union(*(_seen(chart, metrics, columns) for chart in charts)):
                shown["dashboard"][name] = seen
        for kind, reports in shown.items():
            for report, read in sorted(reports.items()):
                yield {
                    "element": element,
                    "report_kind": kind,
                    "report": report,
                    "is_adjusted": bool(read & adjusted),
                }


def _made_as(element: str, lineage: Lineage) -> set[str]:
    """The element, and the columns of its name on its way: other tables have the figure from those, not from it."""
    name = element.rpartition(".")[2]
    return {element, *(source for source in lineage.sources(element) if source.rpartition(".")[2] == name)}


def _columns_of_metrics(manifest: ManifestFile) -> dict[str, set[str]]:
    """Metric that people are shown -> the published columns that its measures read."""
    read: dict[str, set[str]] = {}
    columns = {name_of(node): set(node["columns"]) for node in manifest["nodes"].values() if is_model(node)}
    for model in manifest["semantic_models"].values():
        relation = model["node_relation"]
        name = f"{relation['schema_name']}.{relation['alias']}"
        for measure in model["measures"]:
            words = set(re.findall(r"\w+", measure["expr"] or measure["name"]))
            table = name.removeprefix("build_")
            read[measure["name"]] = {f"{table}.{column}" for column in columns[name] & words}
    return {
        metric["name"]: set().union(*(read[one["name"]] for one in metric["type_params"]["input_measures"]))
        for metric in manifest["metrics"].values()
        if "label_zh" in metric["config"]["meta"]
    }


def _seen(chart: Chart, metrics: Mapping[str, set[str]], columns: set[str]) -> set[str]:
    """Those of the columns that a chart shows."""
    names = {name.replace("*", language) for name in (*chart.columns, *chart.sums) for language in LANGUAGES}
    latest = {chart.latest} if chart.latest else set()
    of_table = {f"{chart.table}.{name}" for name in names | latest} & columns
    return of_table.union(*(metrics.get(name, set()) for name in chart.metrics))
