"""How long customers stay: survival curves per cohort, from what readers see."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from lifelines import KaplanMeierFitter
from markupsafe import Markup
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from rich.console import RenderableType
from rich.table import Table

from c360.reports.pages import render
from lakehouse import warehouse
from lakehouse.language import Language, Voice
from lakehouse.pages import svg
from lakehouse.settings import Settings

SHOWN_MONTHS = (3, 6, 12, 24)
QUARTERLY_MONTHS = 36  # of history; with more, a cohort is a year

_CUSTOMERS = """
    select
        months.customer_key,
        customers.first_opened_date as opened_date,
        min(case when months.life_cycle_stage <> 'prospect' then months.as_of_date end) as first_date,
        min(case when months.life_cycle_stage = 'lost' then months.as_of_date end) as lost_date,
        max(months.as_of_date) as last_date
    from marts.customer_360_monthly as months
    inner join marts.customer_360 as customers on months.customer_key = customers.customer_key
    where customers.first_opened_date is not null
    group by months.customer_key, customers.first_opened_date
"""


@dataclass(frozen=True)
class Point:
    """A curve at one month; ``low`` and ``high`` bound the 95 % interval."""

    months: int
    at_risk: int
    survival_rate: float
    low: float
    high: float


@dataclass(frozen=True)
class Cohort:
    """Customers whose first product falls into one span of time."""

    cohort: str
    customers: int
    lost: int
    curve: list[Point]  # one per month


@dataclass(frozen=True)
class SurvivalReport:
    """Kaplan-Meier curves of the months until a customer is first lost, per cohort."""

    as_of_date: date | None
    cohorts: list[Cohort]


def read(settings: Settings) -> SurvivalReport:
    """The curves as of the published date.

    A cohort is the quarter (with a long history, the year) of the first account or holding. Customers who had one
    before the history begins are one cohort, whose clock starts with the history, without those who were lost by then.
    A customer who is won back has been lost.
    """
    customers = warehouse.query_serving(settings, _CUSTOMERS).to_pandas().dropna(subset="first_date")
    for column in ("opened_date", "first_date", "lost_date", "last_date"):
        customers[column] = pd.to_datetime(customers[column]).dt.to_period("M")
    begin = customers["first_date"].min()
    is_stock = customers["opened_date"] <= begin
    span = "Q" if (customers["last_date"].max() - begin).n < QUARTERLY_MONTHS else "Y"
    customers["cohort"] = customers["opened_date"].dt.asfreq(span).astype(str).mask(is_stock, f"before {begin + 1}")
    started = customers["opened_date"].mask(is_stock, customers["first_date"])
    ended = customers["lost_date"].fillna(customers["last_date"])
    customers["months"] = (ended - started).map(lambda months: months.n).clip(lower=0)
    customers["is_lost"] = customers["lost_date"].notna()
    observed = customers[~(is_stock & (customers["lost_date"] == customers["first_date"]))]
    cohorts = sorted(observed.groupby("cohort"), key=lambda named: (not named[0].startswith("before"), named[0]))
    return SurvivalReport(warehouse.published_date(settings), [_cohort(name, rows) for name, rows in cohorts])


def tables(report: SurvivalReport, language: Language = "en") -> list[RenderableType]:
    """The share of each cohort that stays, after some months."""
    say = Voice(language)
    title = say("Customers not lost after so many months, {date}", date=report.as_of_date)
    table = Table(title=title, title_justify="left")
    table.add_column(say("First product"))
    for name in ("Customers", "Lost"):
        table.add_column(say(name), justify="right")
    for months in SHOWN_MONTHS:
        table.add_column(say("{count} months", count=months), justify="right")
    for cohort in report.cohorts:
        rates = {point.months: f"{point.survival_rate:.1%}" for point in cohort.curve}
        table.add_row(
            _named(cohort, say),
            f"{cohort.customers:,}",
            f"{cohort.lost:,}",
            *(rates.get(months, "-") for months in SHOWN_MONTHS),
        )
    return [table]


def page(report: SurvivalReport, language: Language = "en") -> str:
    """The curves as one HTML page, with a plot."""
    say = Voice(language)
    return render(
        "survival.html.j2",
        say,
        report=report,
        plot=_plot(report.cohorts, say),
        named=lambda cohort: _named(cohort, say),
    )


def _named(cohort: Cohort, say: Voice) -> str:
    """The span of time, as people say it."""
    before, month = cohort.cohort.startswith("before "), cohort.cohort.removeprefix("before ")
    return say("before {month}", month=month) if before else month


def _cohort(name: str, customers: pd.DataFrame) -> Cohort:
    timeline = range(int(customers["months"].max()) + 1)
    fitter = KaplanMeierFitter().fit(customers["months"], customers["is_lost"], timeline=timeline)
    curve = fitter.survival_function_.join(fitter.confidence_interval_survival_function_)
    curve = curve.set_axis(["survival_rate", "low", "high"], axis=1)
    curve.insert(0, "months", timeline)
    curve.insert(1, "at_risk", [(customers["months"] >= months).sum() for months in timeline])
    points = [Point(**point) for point in curve.to_dict("records")]
    return Cohort(name, len(customers), int(customers["is_lost"].sum()), points)


def _plot(cohorts: list[Cohort], say: Voice) -> Markup:
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.subplots()
    for cohort, color in zip(cohorts, colormaps["viridis"](np.linspace(0, 1, len(cohorts))), strict=True):
        curve = pd.DataFrame(cohort.curve)
        axes.step(curve["months"], curve["survival_rate"], where="post", label=_named(cohort, say), color=color)
        axes.fill_between(curve["months"], curve["low"], curve["high"], step="post", alpha=0.1, color=color)
    axes.set(xlabel=say("months since the first product"), ylabel=say("share of customers not lost"), ylim=(0, 1.02))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.grid(alpha=0.3)
    figure.legend(title=say("First product"), fontsize="small", loc="outside right upper")
    return svg(figure, say("How long customers stay"))
