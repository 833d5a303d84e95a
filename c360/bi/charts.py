"""How a chart of a dashboard becomes one of Superset."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from c360.bi.datasets import DAYS_BEFORE_LAST, LAST_OF_MONTH, Column, Dataset, Datasets, Figure
from c360.bi.specs import Chart, Grain, Words
from c360.bi.wording import BRANCHES, of_words, worded
from lakehouse.errors import Stop
from lakehouse.language import Language, Voice
from lakehouse.warehouse.comments import FRACTION

GRAINS: dict[Grain, str] = {"day": "P1D", "week": "P1W", "month": "P1M", "quarter": "P3M", "year": "P1Y"}
DATES: dict[Grain, str] = {
    "day": "%Y-%m-%d", "week": "%Y-%m-%d", "month": "%Y-%m", "quarter": "%Y-%m", "year": "%Y",
}  # fmt: skip
VISUALS = {
    "number": "big_number_total",
    "line": "echarts_timeseries_line",
    "bar": "echarts_timeseries_bar",
    "table": "table",
}
UNIT = re.compile(r"\[([^\]]+)\]$")  # at the end of the store's comment on a column
BY = Words(en="by", zh="按")
GRAIN_WORDS: dict[Grain, Words] = {
    "day": Words(en="day", zh="日"),
    "week": Words(en="week", zh="周"),
    "month": Words(en="month", zh="月"),
    "quarter": Words(en="quarter", zh="季"),
    "year": Words(en="year", zh="年"),
}
Parameters = dict[str, object]


@dataclass(frozen=True)
class Drawn:
    """A chart in one language."""

    title: str
    note: str
    visual: str
    dataset: Dataset
    parameters: Parameters


def is_of_branches(chart: Chart) -> bool:
    """Whether a chart has a bar for every branch."""
    return chart.kind == "bar" and not chart.over and chart.by[0] in BRANCHES


def draw(chart: Chart, datasets: Datasets, language: Language) -> Drawn:
    """A chart as Superset draws it.

    Raises
    ------
    Stop
        If its metrics, table or columns are not those of the store.
    """
    dataset = datasets.of_table(chart.table) if chart.table else datasets.of_metrics(chart.metrics)
    return _Drawing(chart, worded(dataset, language, datasets.products), language, datasets.currency).drawn()


class _Drawing:
    def __init__(self, chart: Chart, dataset: Dataset, language: Language, currency: str) -> None:
        self.chart, self.dataset, self.language, self.currency = chart, dataset, language, currency
        self.time = chart.time or dataset.time
        self.columns = [of_words(dataset, self._known(name)) for name in chart.columns]
        self.by = [of_words(dataset, self._known(name)) for name in chart.by]
        if chart.time:
            self._known(chart.time)

    def drawn(self) -> Drawn:
        parameters = {
            "viz_type": VISUALS[self.chart.kind],
            "adhoc_filters": self._filters(),
            "row_limit": self.chart.limit,
            "extra_form_data": {},
            **getattr(self, f"_{self.chart.kind}")(),
        }
        note = self.chart.note.of(self.language) if self.chart.note else ""
        if not note and self.chart.metrics:
            note = "\n".join(self._figure_note(name) for name in self.chart.metrics)
        return Drawn(self._title(), note, VISUALS[self.chart.kind], self.dataset, parameters)

    def _known(self, name: str) -> str:
        name = name.replace("*", self.language)
        if not isinstance(self.dataset.by_name.get(name), Column):
            raise Stop(f"{self.dataset.name} has no column {name}", "take one that c360 metrics list or ANALYST.md has")
        return name

    def _figure_note(self, name: str) -> str:
        figure = next(one for one in self.dataset.figures if one.name == name)
        return f"{figure.words.of(self.language)} ({name}): {figure.description.of(self.language)}"

    def _title(self) -> str:
        if self.chart.title:
            return self.chart.title.of(self.language)
        labels = [self.dataset.by_name[name].words.of(self.language) for name in self.chart.metrics]
        parts = [GRAIN_WORDS[self.chart.over]] if self.chart.over else []
        parts += [self.dataset.by_name[name].words for name in self.by]
        divided = [part.of(self.language) for part in parts]
        if self.language == "zh":
            return "、".join(labels) + (f"（{BY.zh}{'、'.join(divided)}）" if divided else "")
        named = ", ".join([labels[0], *(label[:1].lower() + label[1:] for label in labels[1:])])
        return named + (f", {BY.en} {' and '.join(word.lower() for word in divided)}" if divided else "")

    def _filters(self) -> list[Parameters]:
        """A figure of a date is shown for the last date of all, or of each month; sums over the last days."""
        filters = []
        if self.dataset.of_a_date & set(self.chart.metrics):
            if self.chart.over not in {None, "month"}:
                raise Stop(f"{self.chart.metrics[0]} is a figure of a date", "show it over months, or not over time")
            filters.append(
                _simple(LAST_OF_MONTH, "==", True) if self.chart.over else _simple(DAYS_BEFORE_LAST, "==", 0)
            )
        if self.chart.days:
            filters.append(_simple(self._known(DAYS_BEFORE_LAST), "<", self.chart.days))
        if self.chart.where:
            filters.append({"expressionType": "SQL", "clause": "WHERE", "sqlExpression": self.chart.where})
        return filters

    def _figures(self) -> list[object]:
        """Saved metrics by name, and sums of columns."""
        return [
            *self.chart.metrics,
            *(self._sum(name) for name in self.chart.sums),
            *([self._count()] if self.chart.counted else []),
        ]

    def _count(self) -> str | Parameters:
        unit = self.chart.unit
        return _adhoc("count(*)", unit.of(self.language), "metric_count") if unit else "row_count"

    def _sum(self, name: str) -> Parameters:
        column = self._known(name)
        label = self.dataset.by_name[column].words.of(self.language)
        return _adhoc(f"sum({column})", label, f"metric_sum_{column}")

    def _units(self) -> list[str]:
        """The units of the figures, as metrics have them."""
        if self.chart.unit:
            return [self.chart.unit.of(self.language)]
        units = {figure.unit for figure in self.dataset.figures if figure.name in self.chart.metrics}
        units |= {_unit_of(self.dataset.by_name[name]) for name in self.chart.sums}
        return sorted(units - {""})

    def _format(self) -> Parameters:
        return {"y_axis_format": ".1%" if self._units() == [FRACTION] else ",.0f"}

    def _axis(self) -> Parameters:
        """The axis of the figures: its unit, and figures short enough to be read at a glance."""
        say, units = Voice(self.language), self._units()
        if units == [FRACTION]:
            return {"y_axis_title": "%", "y_axis_format": ".1%", **AXIS}
        title = say.listed([say.code(unit) for unit in units])
        return {"y_axis_title": title, "y_axis_format": "~s" if units == [self.currency] else ",.0f", **AXIS}

    def _number(self) -> Parameters:
        if self.chart.latest:
            column = self._known(self.chart.latest)
            metric = _adhoc(f"max({column})", column, f"metric_max_{column}")
            return {"metric": metric, "time_format": "%Y-%m-%d", "force_timestamp_formatting": True, **SMALL}
        (metric,) = self._figures()
        return {"metric": metric, **self._format(), **SMALL}

    def _series(self) -> Parameters:
        figures = self._figures()
        series = self.by if self.chart.over else self.by[1:]
        return {
            "metrics": figures,
            "show_legend": len(figures) > 1 or bool(series),
            "legendOrientation": "top",
            "legendType": "scroll",
            "sort_series_type": "name",
            "sort_series_ascending": True,
            "rich_tooltip": True,
            "truncate_metric": True,
            "show_empty_columns": True,
            "color_scheme": "supersetColors",
            "truncateXAxis": False,
            "y_axis_bounds": [None, None],
            "stack": "Stack" if self.chart.stacked else None,
            **self._axis(),
        }

    def _over(self) -> Parameters:
        grain = self.chart.over
        if not grain:
            return {}
        return {
            "x_axis": self.time,
            "granularity_sqla": self.time,
            "time_grain_sqla": GRAINS[grain],
            "x_axis_time_format": DATES[grain],
            "xAxisLabelRotation": 45,  # so that no date stands on another
            "tooltipTimeFormat": DATES[grain],
            "x_axis_sort_asc": True,
        }

    def _line(self) -> Parameters:
        return {
            **self._series(),
            **self._over(),
            "groupby": self.by,
            "seriesType": "line",
            "markerEnabled": False,
            "truncateYAxis": not self.chart.from_zero,
        }

    def _bar(self) -> Parameters:
        if self.chart.over:
            return {**self._series(), **self._over(), "groupby": self.by}
        first, *others = self.by
        shared = {**self._series(), "x_axis": first, "groupby": others, "xAxisForceCategorical": True}
        if self.chart.by[0] in LONG:  # names stand beside their bars, from the first one down
            return {
                **shared,
                "orientation": "horizontal",
                "x_axis_sort": "name" if others else first,
                "x_axis_sort_asc": False,
                "xAxisLabelInterval": "0",
                "y_axis_title_position": "Left",
                "y_axis_title_margin": 30,
            }
        return {
            **shared,
            "x_axis_title": self.dataset.by_name[first].words.of(self.language),
            "x_axis_title_margin": 30,
            "xAxisLabelInterval": "0",
            "orientation": "vertical",
            **self._order(first, bool(others)),
        }

    def _order(self, first: str, has_series: bool) -> Parameters:
        """Codes by size, the largest first; numbers in their own order."""
        if first == self.chart.by[0]:
            return {"x_axis_sort": first, "x_axis_sort_asc": True}
        if has_series or len(self._figures()) > 1:
            return {"x_axis_sort": "sum", "x_axis_sort_asc": False}
        first_figure = self._units()[0] if self.chart.counted else self.chart.metrics[0]
        return {"x_axis_sort": first_figure, "x_axis_sort_asc": False}

    def _table(self) -> Parameters:
        orders = [[name.lstrip("-"), not name.startswith("-")] for name in self.chart.order]
        shared: Parameters = {
            "table_timestamp_format": "%Y-%m-%d",
            "server_pagination": False,
            "show_cell_bars": False,
            "allow_render_html": False,
            "column_config": self._column_formats(),
        }
        if self.chart.columns:
            ordered = [json.dumps(order) for order in orders]
            return {"query_mode": "raw", "all_columns": self.columns, "order_by_cols": ordered, **shared}
        return {
            "query_mode": "aggregate",
            "groupby": self.by,
            "metrics": self._figures(),
            "order_desc": True,
            "all_columns": [],
            **shared,
        }

    def _column_formats(self) -> Parameters:
        formats: Parameters = {}
        for name in self.columns:
            column = self.dataset.by_name[name]
            unit = _unit_of(column)
            if unit == FRACTION:
                formats[name] = {"d3NumberFormat": ".1%"}
            elif isinstance(column, Column) and (column.type == "DECIMAL" or unit == self.currency):
                formats[name] = {"d3NumberFormat": ",.0f"}
            elif isinstance(column, Column) and column.type == "DOUBLE":
                formats[name] = {"d3NumberFormat": ",.2f"}
        return formats


LONG = BRANCHES | {"task"}  # names that find no place below a bar
AXIS: Mapping[str, object] = {"y_axis_title_margin": 15, "y_axis_title_position": "Top"}
SMALL: Mapping[str, object] = {"header_font_size": 0.3, "subheader_font_size": 0.125}


def _unit_of(shown: Column | Figure) -> str:
    """The unit of a figure, or that with which the store's comment on a column ends; empty without one."""
    if isinstance(shown, Figure):
        return shown.unit
    found = UNIT.search(shown.description)
    return found[1] if found else ""


def _adhoc(expression: str, label: str, name: str) -> Parameters:
    return {
        "expressionType": "SQL",
        "sqlExpression": expression,
        "label": label,
        "hasCustomLabel": True,
        "optionName": name,
    }


def _simple(column: str, operator: str, value: object) -> Parameters:
    return {
        "expressionType": "SIMPLE",
        "clause": "WHERE",
        "subject": column,
        "operator": operator,
        "comparator": value,
    }
