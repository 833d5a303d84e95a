"""Where balances and outflows go in the next 13 weeks, how good such forecasts were, and what if rates moved."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial

from markupsafe import Markup
from matplotlib.dates import ConciseDateFormatter
from matplotlib.figure import Figure
from rich.console import RenderableType
from rich.table import Table

from c360.reports import Row
from c360.reports.pages import render
from lakehouse import warehouse
from lakehouse.pages import svg
from lakehouse.settings import Settings

TITLES = {
    "deposit": "Deposits at the end of the week",
    "investment": "Investments at the end of the week",
    "outflow": "To outside funds and wallets in the week",
}
SHOWN_WEEKS = (1, 4, 8, 13)
SHOWN_HISTORY = 78  # weeks

EFFECT_HEADS = ("measure", "series", "rate", "change", "95 % interval", "what the data say")
CAUTION = (
    "By least squares on the weeks of the history, beside season and holidays; intervals hold for all rows together. "
    "Rates were not moved by lot: what else happened in those weeks is in the figure, too."
)

_FORECASTS = "select * from scores.forecast_balances order by measure, branch_code, product_family, horizon_weeks"
_ACCURACY = "select * from marts.forecast_accuracy order by measure, series_level, horizon_weeks"
_HISTORY = """
    select measure, week_end_date, sum(amount) as amount
    from marts.balance_series_weekly
    where week_end_date <= $1
    group by measure, week_end_date
    order by measure, week_end_date
"""


@dataclass(frozen=True)
class Effect:
    """What a series did when a rate moved, and what the shift asked about would change in 13 weeks.

    The amounts are None where the history shows nothing: the rate did not move by itself, or there are too few weeks.
    """

    measure: str
    product_family: str
    rate_code: str
    points: float  # percentage points by which the rate moves
    lowest_rate: float  # in the history, per cent
    highest_rate: float
    change_amount: float | None
    low_amount: float | None  # the 95 % interval
    high_amount: float | None
    is_identified: bool  # the interval lies on one side of zero


@dataclass(frozen=True)
class ForecastReport:
    """Forecasts and their accuracy as published, with the history of the bank; and what shifted rates would change."""

    as_of_date: date | None  # None: no forecast, the history is too short
    forecasts: list[Row]
    accuracy: list[Row]
    history: list[Row]
    what_if: list[Effect]


@dataclass(frozen=True)
class Accuracy:
    """How good the forecasts of one measure at one level were."""

    measure: str
    level: str
    rows: list[Row]  # of forecast_accuracy, by horizon


def read(settings: Settings, shifts: Mapping[str, float]) -> ForecastReport:
    """The published forecasts.

    Parameters
    ----------
    shifts : mapping of rate code to percentage points
        From the first week ahead on, for all 13.
    """
    forecasts = warehouse.query_serving(settings, _FORECASTS).to_pylist()
    as_of_date = forecasts[0]["as_of_date"] if forecasts else None
    return ForecastReport(
        as_of_date=as_of_date,
        forecasts=forecasts,
        accuracy=warehouse.query_serving(settings, _ACCURACY).to_pylist(),
        history=warehouse.query_serving(settings, _HISTORY, (as_of_date,)).to_pylist() if forecasts else [],
        what_if=_what_if(settings, shifts) if forecasts and shifts else [],
    )


def tables(report: ForecastReport) -> list[RenderableType]:
    """The bank's forecasts, how good they were, and the effect of shifted rates."""
    return [_ahead_table(report), _accuracy_table(report), *([_what_if_table(report)] if report.what_if else [])]


def page(report: ForecastReport) -> str:
    """The report as one HTML page, with a plot per measure."""
    return render(
        "forecast.html.j2",
        report=report,
        titles={measure: title for measure, title in TITLES.items() if _bank(report, measure)},
        weeks=SHOWN_WEEKS,
        plot=lambda measure: _plot(report, measure),
        families=lambda measure: _families(report, measure),
        accuracies=_accuracies(report),
        baselines=_baselines(report),
        origins=report.accuracy[0]["origin_count"] if report.accuracy else 0,
        reach=lambda row: _reach(row, "80"),
        skill=_skill,
        coverage=_coverage,
        shifts=_shifts(report),
        caution=CAUTION,
        effect_heads=EFFECT_HEADS,
        effect_cells=_effect_cells,
    )


def _ahead_table(report: ForecastReport) -> Table:
    table = Table(
        title=f"13 weeks ahead of {report.as_of_date}, the bank in thousands (80 % interval)", title_justify="left"
    )
    table.add_column("measure")
    for week in SHOWN_WEEKS:
        table.add_column(f"week {week}", justify="right")
    for measure in TITLES:
        by_week = {row["horizon_weeks"]: row for row in _bank(report, measure)}
        if by_week:
            table.add_row(measure, *(_reach(by_week[week], "80") for week in SHOWN_WEEKS))
    return table


def _accuracy_table(report: ForecastReport) -> Table:
    table = Table(
        title=f"Mean absolute error in thousands on weeks not seen (saving against {_baselines(report)})",
        title_justify="left",
    )
    for name in ("measure", "level", "model", *(f"week {week}" for week in SHOWN_WEEKS), "inside 80 %, 95 %"):
        table.add_column(name, justify="left" if name in ("measure", "level", "model") else "right")
    for accuracy in _accuracies(report):
        table.add_row(
            accuracy.measure,
            accuracy.level,
            accuracy.rows[0]["model"],
            *(_skill(row) for row in accuracy.rows if row["horizon_weeks"] in SHOWN_WEEKS),
            _coverage(accuracy.rows),
        )
    return table


def _what_if_table(report: ForecastReport) -> Table:
    table = Table(title=f"What if {_shifts(report)}: change in 13 weeks", title_justify="left")
    table.caption, table.caption_justify = CAUTION, "left"
    for name in EFFECT_HEADS:
        table.add_column(name, justify="right" if name in ("change", "95 % interval") else "left")
    for effect in report.what_if:
        table.add_row(*_effect_cells(effect))
    return table


def _what_if(settings: Settings, shifts: Mapping[str, float]) -> list[Effect]:
    """Effect of each shift on the bank and its product families after 13 weeks; of an outflow on the sum over them.

    The intervals hold together with 95 % (Bonferroni): of twenty series one would seem to move by chance.
    """
    import numpy as np
    from scipy.stats import t as student

    from ml_jobs.derived.forecasts import MEASURES, read_history
    from ml_jobs.learning.forecasting import HORIZON, effect
    from ml_jobs.learning.hierarchy import Hierarchy

    history = read_history(partial(warehouse.query_serving, settings), "marts", warehouse.last_published(settings))
    names = history.drivers.names
    estimates = []  # the fields of an effect, the change, its standard error, degrees of freedom
    for measure, wide in history.series.items():
        hierarchy = Hierarchy.of(
            *(wide.columns.get_level_values(at).to_numpy(str) for at in range(wide.columns.nlevels))
        )
        shown = np.flatnonzero(np.isin(hierarchy.level, ("bank", "family")))
        nodes = hierarchy.sums(wide.to_numpy())[:, shown]
        for rate, points in shifts.items():
            estimate = effect(nodes, history.drivers, MEASURES[measure], rate)
            rates = history.drivers.rates[:, names.index(rate) - len(names)]
            reach = float(rates.min()), float(rates.max())
            estimates += [
                (
                    (measure, str(hierarchy.family[at]), rate, points, *reach),
                    points * HORIZON * estimate.per_week[place],
                    abs(points) * HORIZON * estimate.standard_error[place],
                    estimate.freedom,
                )
                for place, at in enumerate(shown)
            ]
    effects = []
    for about, change, standard_error, freedom in estimates:
        reach = standard_error * student.ppf(1 - 0.025 / len(estimates), freedom)
        amounts = map(float, (change, change - reach, change + reach)) if np.isfinite(reach) else (None, None, None)
        effects.append(Effect(*about, *amounts, is_identified=bool(abs(change) > reach)))
    return effects


def _shifts(report: ForecastReport) -> str:
    texts = {
        effect.rate_code: f"{effect.rate_code} moved by {effect.points:+.2f} points "
        f"(it has been {effect.lowest_rate:.2f} to {effect.highest_rate:.2f} %)"
        for effect in report.what_if
    }
    return " or ".join(texts.values())


def _effect_cells(effect: Effect) -> tuple[str, ...]:
    head = (effect.measure, effect.product_family, effect.rate_code)
    if effect.change_amount is None:
        return (*head, "-", "-", "nothing: the rate did not move by itself, or the history is too short")
    verdict = "moved with the rate" if effect.is_identified else "no effect that can be told from chance"
    reach = f"{effect.low_amount:+,.0f} to {effect.high_amount:+,.0f}"
    return (*head, f"{effect.change_amount:+,.0f}", reach, verdict)


def _plot(report: ForecastReport, measure: str) -> Markup:
    past = [row for row in report.history if row["measure"] == measure][-SHOWN_HISTORY:]
    ahead = _bank(report, measure)
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.plot([row["week_end_date"] for row in past], [float(row["amount"]) / 1e6 for row in past], color="#222")
    days = [row["week_end_date"] for row in ahead]

    def line(name: str) -> list[float]:
        return [float(row[f"{name}_amount"]) / 1e6 for row in ahead]

    for coverage, alpha in (("95", 0.15), ("80", 0.3)):
        axes.fill_between(
            days, line(f"lower_{coverage}"), line(f"upper_{coverage}"), color="#2f6db3", alpha=alpha, linewidth=0
        )
    axes.plot(days, line("mean"), color="#2f6db3", label=f"forecast ({ahead[0]['model']})")
    axes.plot(days, line("baseline"), color="#b3562f", linestyle=":", label=f"baseline ({ahead[0]['baseline']})")
    axes.set(ylabel="millions")
    axes.xaxis.set_major_formatter(ConciseDateFormatter(axes.xaxis.get_major_locator()))
    axes.grid(alpha=0.3)
    axes.legend(loc="best", fontsize="small")
    return svg(figure)


def _families(report: ForecastReport, measure: str) -> dict[str, list[Row]]:
    """The bank's forecasts of the shown weeks, by product family."""
    families: dict[str, list[Row]] = {}
    for row in report.forecasts:
        if row["measure"] == measure and row["branch_code"] == "all" and row["horizon_weeks"] in SHOWN_WEEKS:
            families.setdefault(row["product_family"], []).append(row)
    return families


def _bank(report: ForecastReport, measure: str) -> list[Row]:
    return [row for row in report.forecasts if row["measure"] == measure and row["series_level"] == "bank"]


def _accuracies(report: ForecastReport) -> list[Accuracy]:
    levels = dict.fromkeys((row["measure"], row["series_level"]) for row in report.accuracy)
    return [
        Accuracy(*key, [row for row in report.accuracy if (row["measure"], row["series_level"]) == key])
        for key in levels
    ]


def _baselines(report: ForecastReport) -> str:
    texts = {"seasonal_naive": "the same week a year ago", "naive": "no change"}
    return " or ".join(dict.fromkeys(texts[row["baseline"]] for row in report.accuracy)) or "the baseline"


def _reach(row: Row, coverage: str) -> str:
    mean, low, high = (float(row[f"{name}_amount"]) for name in ("mean", f"lower_{coverage}", f"upper_{coverage}"))
    return f"{mean / 1000:,.0f} ({low / 1000:,.0f}-{high / 1000:,.0f})"


def _skill(row: Row) -> str:
    return f"{row['mae_amount'] / 1000:,.1f} ({row['skill']:+.0%}, {row['skill_low']:+.0%} to {row['skill_high']:+.0%})"


def _coverage(rows: list[Row]) -> str:
    if rows[0]["coverage_80"] is None:
        return "-"
    return ", ".join(f"{sum(row[f'coverage_{name}'] for row in rows) / len(rows):.0%}" for name in ("80", "95"))
