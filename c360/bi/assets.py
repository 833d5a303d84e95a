"""The assets that Superset imports: one database, datasets, charts and dashboards, in both languages.

The same definitions give the same bytes. An asset's identifier follows from what it is (a dashboard's file, a chart's
place in it, a dataset's name), so an import replaces what the one before made.
"""

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from uuid import UUID, uuid5

import yaml

from c360.bi.charts import Drawn, draw, is_of_branches
from c360.bi.datasets import Dataset, Datasets
from c360.bi.specs import WIDTH, Chart, Dashboard, read_dashboards
from c360.bi.wording import of_words
from lakehouse.language import LANGUAGES, Language
from lakehouse.settings import Settings
from lakehouse.warehouse.comments import FRACTION

NAMESPACE = UUID("3f1c1c1e-6a53-5f0b-9d0c-c36000000000")
VERSION = "1.0.0"  # of Superset's format of assets
DATABASE = "c360"
# The server knows where the store is, and who may open it: deploy/superset/superset_config.py.
ADDRESSES = {"duckdb": "duckdb:///:memory:", "postgres": "postgresql+psycopg2://c360_store/"}
HEIGHTS = {"number": 24, "line": 50, "bar": 50, "table": 50}  # of a row, in units of 8 pixels
OF_BRANCHES = 75  # a bar for each of them
HEADLINE = 8
DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # ten times as fast where libyaml is
NO_DATE = (1980, 1, 1, 0, 0, 0)
Asset = dict[str, object]


@dataclass(frozen=True)
class Assets:
    """Files of a bundle, by their paths."""

    files: Mapping[PurePosixPath, Asset]

    def identifiers(self, kind: str) -> frozenset[str]:
        """Of all ``charts``, ``dashboards``, ``datasets`` or ``databases``."""
        return frozenset(str(asset["uuid"]) for path, asset in self.files.items() if path.parts[0] == kind)

    def slugs(self) -> list[str]:
        """The last parts of the dashboards' addresses."""
        return [str(asset["slug"]) for path, asset in self.files.items() if path.parts[0] == "dashboards"]

    def texts(self) -> dict[str, str]:
        """The files as YAML."""
        return {
            str(path): yaml.dump(asset, Dumper=DUMPER, allow_unicode=True, sort_keys=True, width=120)
            for path, asset in sorted(self.files.items())
        }

    def bundle(self) -> bytes:
        """The files as one archive."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for path, text in self.texts().items():
                archive.writestr(zipfile.ZipInfo(f"c360/{path}", NO_DATE), text)
        return buffer.getvalue()


def identifier(*parts: object) -> str:
    """The identifier of an asset, from what it is."""
    return str(uuid5(NAMESPACE, "/".join(map(str, parts))))


def make_assets(settings: Settings, dashboards: Mapping[str, Dashboard] | None = None) -> Assets:
    """The assets of all dashboards over the store that readers see.

    Raises
    ------
    Stop
        If nothing is published, or a dashboard asks for what the store does not have.
    """
    datasets = Datasets(settings)
    files = dict(make_database(settings.target).files)
    for name, dashboard in (dashboards or read_dashboards()).items():
        for language in LANGUAGES:
            _Page(name, dashboard, language, datasets.currency).add_to(files, datasets)
    return Assets(files)


def make_database(target: str) -> Assets:
    """The database alone, for whoever asks it without a dashboard."""
    return Assets(
        {
            PurePosixPath("metadata.yaml"): {
                "version": VERSION,
                "type": "assets",
                "timestamp": "1980-01-01T00:00:00+00:00",
            },
            PurePosixPath("databases", f"{DATABASE}.yaml"): _database(target),
        }
    )


def _database(target: str) -> Asset:
    return {
        "database_name": DATABASE,
        "sqlalchemy_uri": ADDRESSES[target],
        "expose_in_sqllab": True,
        "allow_run_async": False,
        "allow_ctas": False,
        "allow_cvas": False,
        "allow_dml": False,
        "allow_csv_upload": False,
        "extra": {"allows_virtual_table_explore": True},
        "uuid": identifier("database"),
        "version": VERSION,
        "is_managed_externally": True,
    }


def _dataset(dataset: Dataset, language: Language, currency: str) -> Asset:
    return {
        "table_name": f"{dataset.name} ({language})",
        "main_dttm_col": dataset.time,
        "description": None,
        "offset": 0,
        "cache_timeout": None,
        "schema": None,
        "sql": dataset.statement,
        "filter_select_enabled": True,
        "normalize_columns": False,
        "always_filter_main_dttm": False,
        "columns": [
            {
                "column_name": column.name,
                "verbose_name": column.words.of(language),
                "description": column.description,
                "type": column.type,
                "is_dttm": column.type in {"DATE", "TIMESTAMP"},
                "is_active": True,
                "groupby": True,
                "filterable": True,
            }
            for column in dataset.columns
        ],
        "metrics": [
            {
                "metric_name": figure.name,
                "verbose_name": figure.words.of(language),
                "metric_type": None,
                "expression": figure.expression,
                "description": f"{figure.description.of(language)} [{figure.unit}]".strip(),
                "d3format": ".1%" if figure.unit == FRACTION else ",.0f",
                **({"currency": {"symbol": currency, "symbolPosition": "prefix"}} if figure.unit == currency else {}),
            }
            for figure in dataset.figures
        ],
        "uuid": identifier("dataset", dataset.name, language),
        "database_uuid": identifier("database"),
        "version": VERSION,
        "is_managed_externally": True,
    }


class _Page:
    """A dashboard in one language."""

    def __init__(self, name: str, dashboard: Dashboard, language: Language, currency: str) -> None:
        self.name, self.dashboard, self.language, self.currency = name, dashboard, language, currency

    def add_to(self, files: dict[PurePosixPath, Asset], datasets: Datasets) -> None:
        drawn = [[draw(chart, datasets, self.language) for chart in row] for row in self.dashboard.rows]
        for row, charts in enumerate(drawn):
            for place, chart in enumerate(charts):
                dataset = _dataset(chart.dataset, self.language, self.currency)
                stem = chart.dataset.name.replace(".", "_")
                files[PurePosixPath("datasets", DATABASE, f"{stem}_{self.language}.yaml")] = dataset
                path = PurePosixPath("charts", f"{self.name}_{row}_{place}_{self.language}.yaml")
                files[path] = self._chart(chart, row, place)
        files[PurePosixPath("dashboards", f"{self.name}_{self.language}.yaml")] = self._dashboard(drawn)

    def _uuid(self, row: int, place: int) -> str:
        return identifier("chart", self.name, row, place, self.language)

    def _chart(self, chart: Drawn, row: int, place: int) -> Asset:
        return {
            "slice_name": chart.title,
            "description": chart.note or None,
            "viz_type": chart.visual,
            "params": chart.parameters,
            "query_context": None,
            "cache_timeout": None,
            "uuid": self._uuid(row, place),
            "dataset_uuid": identifier("dataset", chart.dataset.name, self.language),
            "version": VERSION,
            "is_managed_externally": True,
        }

    def _dashboard(self, drawn: list[list[Drawn]]) -> Asset:
        title = self.dashboard.title.of(self.language)
        return {
            "dashboard_title": title,
            "description": self.dashboard.about.of(self.language),
            "css": "",
            "slug": f"{self.name}-{self.language}",
            "uuid": identifier("dashboard", self.name, self.language),
            "position": self._position(title, drawn),
            "metadata": {
                "color_scheme": "supersetColors",
                "cross_filters_enabled": True,
                "refresh_frequency": 0,
                "expanded_slices": {},
                "timed_refresh_immune_slices": [],
                "label_colors": {},
                "native_filter_configuration": self._filters(drawn),
            },
            "published": True,
            "version": VERSION,
            "is_managed_externally": True,
        }

    def _position(self, title: str, drawn: list[list[Drawn]]) -> Asset:
        rows = ["ROW-about", *(f"ROW-{number}" for number in range(len(drawn)))]
        position: Asset = {
            "DASHBOARD_VERSION_KEY": "v2",
            "ROOT_ID": {"type": "ROOT", "id": "ROOT_ID", "children": ["GRID_ID"]},
            "GRID_ID": {"type": "GRID", "id": "GRID_ID", "children": rows, "parents": ["ROOT_ID"]},
            "HEADER_ID": {"type": "HEADER", "id": "HEADER_ID", "meta": {"text": title}},
            "MARKDOWN-about": {
                "type": "MARKDOWN",
                "id": "MARKDOWN-about",
                "children": [],
                "parents": ["ROOT_ID", "GRID_ID", "ROW-about"],
                "meta": {"code": self.dashboard.about.of(self.language), "width": WIDTH, "height": HEADLINE},
            },
            "ROW-about": _row("ROW-about", ["MARKDOWN-about"]),
        }
        for row, charts in enumerate(drawn):
            names = [f"CHART-{row}-{place}" for place in range(len(charts))]
            position[f"ROW-{row}"] = _row(f"ROW-{row}", names)
            for place, (name, chart) in enumerate(zip(names, charts, strict=True)):
                spec = self.dashboard.rows[row][place]
                position[name] = {
                    "type": "CHART",
                    "id": name,
                    "children": [],
                    "parents": ["ROOT_ID", "GRID_ID", f"ROW-{row}"],
                    "meta": {
                        "chartId": 100 * row + place + 1,  # Superset puts its own in its place
                        "uuid": self._uuid(row, place),
                        "sliceName": chart.title,
                        "width": spec.width or WIDTH // len(charts),
                        "height": _height(self.dashboard.rows[row]),
                    },
                }
        return position

    def _filters(self, drawn: list[list[Drawn]]) -> list[Asset]:
        datasets = [chart.dataset for row in drawn for chart in row]
        filters: list[Asset] = []
        for name in self.dashboard.filters:
            dataset = next(one for one in datasets if name in one.by_name)
            column = of_words(dataset, name)
            filters.append(
                {
                    "id": f"NATIVE_FILTER-{name}",
                    "name": dataset.by_name[name].words.of(self.language),
                    "filterType": "filter_select",
                    "type": "NATIVE_FILTER",
                    "targets": [
                        {
                            "column": {"name": column},
                            "datasetUuid": identifier("dataset", dataset.name, self.language),
                        }
                    ],
                    "scope": {"rootPath": ["ROOT_ID"], "excluded": []},
                    "cascadeParentIds": [],
                    "description": "",
                    "controlValues": {
                        "multiSelect": True,
                        "enableEmptyFilter": False,
                        "defaultToFirstItem": False,
                        "inverseSelection": False,
                        "searchAllOptions": False,
                    },
                    "defaultDataMask": {"extraFormData": {}, "filterState": {}, "ownState": {}},
                }
            )
        return filters


def _row(name: str, children: list[str]) -> Asset:
    return {
        "type": "ROW",
        "id": name,
        "children": children,
        "parents": ["ROOT_ID", "GRID_ID"],
        "meta": {"background": "BACKGROUND_TRANSPARENT"},
    }


def _height(charts: tuple[Chart, ...]) -> int:
    return max(OF_BRANCHES if is_of_branches(chart) else HEIGHTS[chart.kind] for chart in charts)
