"""The customers without a relationship manager in groups: what each is like, is worth, costs, and answers to."""

from dataclasses import asdict, dataclass
from datetime import date

from markupsafe import Markup
from matplotlib.figure import Figure
from rich.console import RenderableType
from rich.table import Table

from c360.reports import Row
from c360.reports.pages import render
from lakehouse import warehouse
from lakehouse.language import Language, Voice
from lakehouse.pages import svg
from lakehouse.settings import Settings

PLAIN, HIGH, LOW = "#8a8f98", "#2f7d5b", "#b3562f"

_PROFILES = """
    select profiles.*, products.product_name as best_offer_name
    from marts.segment_profiles as profiles
    left join marts.dim_product as products on profiles.best_offer_code = products.product_code
    order by profiles.segment_id, profiles.as_of_date
"""
_TRAITS = "select * from marts.segment_traits order by segment_id, abs(deviation) desc, trait"
_RESPONSES = """
    select responses.*, products.product_name
    from marts.segment_responses as responses
    left join marts.dim_product as products on responses.option_code = products.product_code
    order by responses.segment_id, responses.option_kind, responses.option_rank, responses.option_code
"""


@dataclass(frozen=True)
class Group:
    """One group of customers."""

    profile: Row  # of segment_profiles on the business date
    months: list[Row]  # of segment_profiles: all month-ends, the oldest first
    traits: list[Row]  # of segment_traits, the one that sets the group apart most first
    responses: list[Row]  # of segment_responses, by kind and rank

    def document(self) -> Row:
        """What is printed as JSON: the columns of the profile, then the lists."""
        return {**self.profile, "months": self.months, "traits": self.traits, "responses": self.responses}


@dataclass(frozen=True)
class Stability:
    """How much of the grouping of one month-end was there at the one before; adjusted Rand indices, 95 % intervals."""

    as_of_date: date
    stayed_rate: float
    customers_rand: float
    customers_rand_low: float
    customers_rand_high: float
    refit_rand: float
    refit_rand_low: float
    refit_rand_high: float


@dataclass(frozen=True)
class SegmentReport:
    """The groups as published. No groups: too few customers."""

    as_of_date: date | None
    groups: list[Group]
    stability: list[Stability]  # of the month-ends that have it


def read(settings: Settings) -> SegmentReport:
    """The groups of the published date, with their history."""
    profiles, traits, responses = (
        warehouse.query_serving(settings, statement).to_pylist() for statement in (_PROFILES, _TRAITS, _RESPONSES)
    )
    as_of_date = warehouse.published_date(settings)
    groups = [
        Group(row, *(_of(row["segment_id"], rows) for rows in (profiles, traits, responses)))
        for row in profiles
        if row["as_of_date"] == as_of_date
    ]
    by_date = {row["as_of_date"]: _stability(row) for row in profiles if row["refit_rand"] is not None}
    return SegmentReport(as_of_date, groups, [by_date[day] for day in sorted(by_date)])


def tables(report: SegmentReport, language: Language = "en") -> list[RenderableType]:
    """The groups, a few lines each, so that the table fits a terminal of 80 columns."""
    say = Voice(language)
    title = say("Customers without a relationship manager, {date}", date=report.as_of_date)
    table = Table(title=title, title_justify="left", show_lines=True)
    table.add_column("", justify="right")
    table.add_column(say("Group"), min_width=14)
    for name in ("Customers", "Assets each,\nearns in 90 days", "Costs a month", "Left"):
        table.add_column(say(name), justify="right")
    table.add_column(say("Channel,\noffer"), min_width=14)
    for group in report.groups:
        assets, earned, cost, left, channel, offer = _figures(group, say)
        table.add_row(
            str(group.profile["segment_id"]),
            say.of(group.profile, "segment_name"),
            f"{group.profile['customer_count']:,}",
            f"{assets}\n{earned}",
            cost,
            left.replace(" (", "\n("),
            f"{channel}\n{offer}",
        )
    return [table]


def page(report: SegmentReport, language: Language = "en") -> str:
    """The groups as one HTML page, with a plot of each."""
    say = Voice(language)
    return render(
        "segments.html.j2",
        say,
        report=report,
        figures=lambda group: _figures(group, say),
        rand=lambda month, kind: _interval(asdict(month), f"{kind}_rand", ".2f"),
        answer=lambda option: _interval(option, "answer_rate", ".0%"),
        churn=_churn,
        plot=lambda group: _plot(group, say),
    )


def _of(segment_id: int, rows: list[Row]) -> list[Row]:
    return [row for row in rows if row["segment_id"] == segment_id]


def _stability(profile: Row) -> Stability:
    return Stability(**{name: profile[name] for name in Stability.__dataclass_fields__})


def _plot(group: Group, say: Voice) -> Markup:
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    axes = figure.subplots()
    shown = group.traits[::-1]
    places = [trait["deviation"] for trait in shown]
    colors = [HIGH if place > 0.25 else LOW if place < -0.25 else PLAIN for place in places]
    bars = axes.barh([say.of(trait, "trait") for trait in shown], places, color=colors)
    medians = [
        say(
            "median {median}, all {all}",
            median=_number(trait["median_value"]),
            all=_number(trait["median_of_all_value"]),
        )
        for trait in shown
    ]
    axes.bar_label(bars, medians, padding=4, fontsize="x-small", color="#555")
    reach = max(1.0, *map(abs, places)) * 1.7
    axes.set(xlim=(-reach, reach), xlabel=say("place among all customers, in standard deviations from the mean"))
    axes.axvline(0, color="#222", linewidth=0.8)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(left=False, labelsize="small")
    return svg(figure, say("What sets the group apart: {name}", name=say.of(group.profile, "segment_name")))


def _figures(group: Group, say: Voice) -> tuple[str, ...]:
    profile = group.profile
    whole_months = group.months[:-1] or group.months  # the costs of the month under way are not complete
    known = [month for month in group.months if month["churn_rate"] is not None]
    return (
        f"{profile['average_aum_amount']:,.0f}",
        f"{profile['average_contribution_3m_amount']:,.0f}",
        f"{whole_months[-1]['average_service_cost_amount']:,.2f}",
        _churn(known[-1]) if known else "-",
        _best(profile, "best_channel", say.code(profile["best_channel"]), say),
        _best(profile, "best_offer", say.name(profile["best_offer_name"]) or profile["best_offer_code"], say),
    )


def _best(profile: Row, name: str, option: str | None, say: Voice) -> str:
    return f"{option} {_interval(profile, f'{name}_rate', '.0%')}" if option else say("too few contacts")


def _churn(month: Row) -> str:
    return "-" if month["churn_rate"] is None else _interval(month, "churn_rate", ".1%")


def _interval(row: Row, name: str, form: str) -> str:
    value, low, high = (f"{row[f'{name}{end}']:{form}}" for end in ("", "_low", "_high"))
    return f"{value} ({low}-{high})"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.2f}" if abs(value) < 10 else f"{value:,.0f}"
