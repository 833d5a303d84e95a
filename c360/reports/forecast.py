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
from c360.reports.pages import UNITS, readable, readable_span, render
from lakehouse import warehouse
from lakehouse.language import Language, Voice
from lakehouse.pages import svg
from lakehouse.settings import Settings

TITLES = {
    "deposit": "Deposits at the end of the week",
    "investment": "Investments at the end of the week",
    "outflow": "To outside funds and wallets in the week",
}
METHODS = {
    "naive": "the recent level",
    "drift": "the mean change of a year",
    "seasonal_naive": "the same week a year ago",
    "regression": "season and events",
}
ACCURACY_HEADS = (
    *("Measure", "Level", "Series", "Weeks ahead", "Method", "Mean error", "Error saved"),
    *("Inside 80 %", "Inside 95 %"),
)
SHOWN_WEEKS = (1, 4, 8, 13)
NUMBERED = ["%Y", "%Y-%m", "%m-%d", "%H:%M", "%H:%M", "%S"]  # dates without names of months
SHOWN_HISTORY = 78  # weeks

EFFECT_HEADS = ("Measure", "Series", "Rate", "Change", "95 % interval", "What the data say")
CAUTION = (
    "By least squares on the weeks of the history, beside season and holidays; intervals hold for all rows together. "
    "Rates were not moved by lot: what else happened in those weeks is in the figure, too."
)

_FORECASTS = "select * from scores.forecast_balances order by measure, branch_code, product_family, horizon_weeks"
_ACCURACY = "select * from marts.forecast_accuracy order by measure, series_level, first_horizon_weeks"
_CURRENCY = "select max(currency) as currency from marts.customer_360"
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
    currency: str = ""


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
        currency=warehouse.query_serving(settings, _CURRENCY).to_pylist()[0]["currency"] or "",
    )


def tables(report: ForecastReport, language: Language = "en") -> list[RenderableType]:
    """The bank's forecasts, how good they were, and the effect of shifted rates."""
    say = Voice(language)
    what_if = [_what_if_table(report, say)] if report.what_if else []
    return [_ahead_table(report, say), _accuracy_table(report, say), *what_if]


def page(report: ForecastReport, language: Language = "en") -> str:
    """The report as one HTML page, with a plot per measure."""
    say = Voice(language)
    return render(
        "forecast.html.j2",
        say,
        report=report,
        titles={measure: say(title) for measure, title in TITLES.items() if _bank(report, measure)},
        weeks=SHOWN_WEEKS,
        plot=lambda measure: _plot(report, measure, say),
        families=lambda measure: _families(report, measure),
        headline=lambda measure: _headline(report, measure, say),
        interval_notes=lambda measure: _interval_notes(report, measure),
        reach=lambda row: _reach(row, say),
        accuracy_heads=ACCURACY_HEADS,
        accuracy_cells=lambda row: _accuracy_cells(row, say),
        baselines=_baselines(report, say),
        caution=CAUTION,
        shifts=_shifts(report, say),
        effect_heads=EFFECT_HEADS,
        effect_cells=lambda effect: _effect_cells(effect, say),
    )


def _ahead_table(report: ForecastReport, say: Voice) -> Table:
    title = say(
        "13 weeks ahead of {date}, the bank in {currency} (80 % interval)",
        date=report.as_of_date,
        currency=report.currency,
    )
    table = Table(title=title, title_justify="left", show_lines=True)
    table.add_column(say("Measure"))
    for week in SHOWN_WEEKS:
        table.add_column(say("Week {number}", number=week), justify="right")
    for measure in TITLES:
        by_week = {row["horizon_weeks"]: row for row in _bank(report, measure)}
        if by_week:
            cells = (_reach(by_week[week], say).replace(" (", "\n(").replace("（", "\n（") for week in SHOWN_WEEKS)
            table.add_row(say.code(measure), *cells)
    return table


def _accuracy_table(report: ForecastReport, say: Voice) -> Table:
    title = say(
        "How good, on weeks not seen ({currency}; error saved against {baselines})",
        currency=report.currency,
        baselines=_baselines(report, say),
    )
    table = Table(title=title, title_justify="left")
    for name in ACCURACY_HEADS:
        table.add_column(say(name), justify="left" if name in ("Measure", "Level", "Method") else "right")
    for row in report.accuracy:
        table.add_row(*_accuracy_cells(row, say))
    return table


def _what_if_table(report: ForecastReport, say: Voice) -> Table:
    table = Table(title=say("What if {shifts}: change in 13 weeks", shifts=_shifts(report, say)), title_justify="left")
    table.caption, table.caption_justify = say(CAUTION), "left"
    for name in EFFECT_HEADS:
        table.add_column(say(name), justify="right" if name in ("Change", "95 % interval") else "left")
    for effect in report.what_if:
        table.add_row(*_effect_cells(effect, say))
    return table


def _what_if(settings: Settings, shifts: Mapping[str, float]) -> list[Effect]:
    """Effect of each shift on the bank and its product families after 13 weeks; of an outflow on the sum over them.

    The intervals hold together with 95 % (Bonferroni): of twenty series one would seem to move by chance.
    """
    import numpy as np
    from scipy.stats import t as student

    from ml_jobs.derived.forecasts import MEASURES, read_history
    from ml_jobs.learning.candidates import HORIZON
    from ml_jobs.learning.effects import effect
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


def _shifts(report: ForecastReport, say: Voice) -> str:
    texts = {
        effect.rate_code: say(
            "{rate} moved by {points} points (it has been {low} to {high} %)",
            rate=say.code(effect.rate_code),
            points=f"{effect.points:+.2f}",
            low=f"{effect.lowest_rate:.2f}",
            high=f"{effect.highest_rate:.2f}",
        )
        for effect in report.what_if
    }
    return say(" or ").join(texts.values())


def _effect_cells(effect: Effect, say: Voice) -> tuple[str, ...]:
    head = (say.code(effect.measure), say.code(effect.product_family), say.code(effect.rate_code))
    if effect.change_amount is None:
        return (*head, "-", "-", say("nothing: the rate did not move by itself, or the history is too short"))
    verdict = say("moved with the rate" if effect.is_identified else "no effect that can be told from chance")
    change, low, high = (
        ("+" if amount > 0 else "") + readable(amount, say.language)
        for amount in (effect.change_amount, effect.low_amount or 0.0, effect.high_amount or 0.0)
    )
    return (*head, change, say("{low} to {high}", low=low, high=high), verdict)


def _plot(report: ForecastReport, measure: str, say: Voice) -> Markup:
    past = [row for row in report.history if row["measure"] == measure][-SHOWN_HISTORY:]
    ahead = _bank(report, measure)
    amounts = [float(row["amount"]) for row in past]
    units = UNITS[say.language]
    size, unit = next(unit for unit in units if max(map(abs, amounts), default=0) >= unit[0] or unit[0] == 1)
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    axes = figure.subplots()
    axes.plot([row["week_end_date"] for row in past], [amount / size for amount in amounts], color="#222")
    days = [row["week_end_date"] for row in ahead]

    def line(name: str) -> list[float]:
        """Without a value where no interval is given."""
        return [float("nan" if row[f"{name}_amount"] is None else row[f"{name}_amount"]) / size for row in ahead]

    for coverage, alpha in (("95", 0.15), ("80", 0.3)):
        axes.fill_between(
            days, line(f"lower_{coverage}"), line(f"upper_{coverage}"), color="#2f6db3", alpha=alpha, linewidth=0
        )
    methods = say.listed([say(name) for name in dict.fromkeys(METHODS[row["model"]] for row in ahead)])
    baseline = say(METHODS[ahead[0]["baseline"]])
    axes.plot(days, line("mean"), color="#2f6db3", label=say("forecast ({methods})", methods=methods))
    axes.plot(days, line("baseline"), color="#b3562f", linestyle=":", label=say("baseline ({method})", method=baseline))
    axes.set(ylabel=f"{report.currency} {unit.strip()}".strip())
    months = {} if say.language == "en" else {"formats": NUMBERED, "show_offset": False}
    axes.xaxis.set_major_formatter(ConciseDateFormatter(axes.xaxis.get_major_locator(), **months))
    axes.grid(alpha=0.3)
    axes.legend(loc="best", fontsize="small")
    return svg(figure, say(TITLES[measure]))


def _families(report: ForecastReport, measure: str) -> dict[str, list[Row]]:
    """The bank's forecasts of the shown weeks, by product family."""
    families: dict[str, list[Row]] = {}
    for row in report.forecasts:
        if row["measure"] == measure and row["branch_code"] == "all" and row["horizon_weeks"] in SHOWN_WEEKS:
            families.setdefault(row["product_family"], []).append(row)
    return families


def _bank(report: ForecastReport, measure: str) -> list[Row]:
    return [row for row in report.forecasts if row["measure"] == measure and row["series_level"] == "bank"]


def _headline(report: ForecastReport, measure: str, say: Voice) -> str:
    """What the bank will have in 13 weeks."""
    row = _bank(report, measure)[-1]
    amount = readable(row["mean_amount"], say.language)
    headline = say(
        "In {weeks} weeks: {currency} {amount}", weeks=row["horizon_weeks"], currency=report.currency, amount=amount
    )
    if row["lower_80_amount"] is None:
        return headline
    span = readable_span(row["lower_80_amount"], row["upper_80_amount"], say.language)
    return headline + say(" (80 % interval: {span})", span=span)


def _interval_notes(report: ForecastReport, measure: str) -> list[Row]:
    """Of the bank and its families, what is said of intervals, and of the method."""
    return [row for row in report.accuracy if row["measure"] == measure and row["series_level"] in ("bank", "family")]


def _accuracy_cells(row: Row, say: Voice) -> tuple[str, ...]:
    weeks = f"{row['first_horizon_weeks']}-{row['last_horizon_weeks']}"
    method = say(METHODS[row["model"]]) + (say(" (baseline)") if row["is_baseline_published"] else "")
    saved = "-" if row["skill"] is None else _share(row["skill"], row["skill_low"], row["skill_high"], say)
    inside = [
        "-"
        if row["coverage_80"] is None
        else _share(row["coverage_80"], row["coverage_80_low"], row["coverage_80_high"], say),
        "-" if row["coverage_95"] is None else f"{row['coverage_95']:.0%}",
    ]
    if row["interval_status"] not in ("holds", "holds_80_only"):
        inside[0] += say(", {status}: not given", status=say.code(row["interval_status"]))
    if row["interval_status"] != "holds":
        inside[1] += say(": not given")
    return (
        *(say.code(row["measure"]), say.code(row["series_level"]), f"{row['series_count']:,}", weeks, method),
        *(readable(row["mae_amount"], say.language), saved, *inside),
    )


def _share(value: float, low: float, high: float, say: Voice) -> str:
    return f"{value:.0%} ({say('{low} to {high}', low=f'{low:.0%}', high=f'{high:.0%}')})"


def _baselines(report: ForecastReport, say: Voice) -> str:
    named = dict.fromkeys(say(METHODS[row["baseline"]]) for row in report.accuracy)
    return say(" or ").join(named) or say("the baseline")


def _reach(row: Row, say: Voice) -> str:
    mean = readable(row["mean_amount"], say.language)
    if row["lower_80_amount"] is None:
        return say("{mean} (no interval)", mean=mean)
    span = readable_span(row["lower_80_amount"], row["upper_80_amount"], say.language)
    return say("{mean} ({span})", mean=mean, span=span)
