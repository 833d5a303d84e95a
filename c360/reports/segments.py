"""The customers without a relationship manager in groups: what each is like, is worth, costs, and answers to."""

from html import escape
from typing import Any

from matplotlib.figure import Figure
from rich.table import Table

from lakehouse import warehouse
from lakehouse.pages import page, svg
from lakehouse.settings import Settings

PLAIN, HIGH, LOW = "#8a8f98", "#2f7d5b", "#b3562f"

_PROFILES = "select * from marts.segment_profiles order by segment_id, as_of_date"
_TRAITS = "select * from marts.segment_traits order by segment_id, abs(deviation) desc, trait"
_RESPONSES = "select * from marts.segment_responses order by segment_id, option_kind, option_rank, option_code"


def segment_report(settings: Settings) -> dict[str, Any]:
    """The groups as published.

    Returns
    -------
    dict
        ``as_of_date``; ``groups``: each the row of the business date in ``marts.segment_profiles``, with ``months``
        (all its rows), ``traits`` and ``responses``; ``stability`` of the month-ends that have it. No groups: too few
        customers.
    """
    profiles, traits, responses = (
        warehouse.query_serving(settings, statement).to_pylist() for statement in (_PROFILES, _TRAITS, _RESPONSES)
    )
    as_of_date = warehouse.published_date(settings)
    groups = [
        row
        | {
            "months": [month for month in profiles if month["segment_id"] == row["segment_id"]],
            "traits": [trait for trait in traits if trait["segment_id"] == row["segment_id"]],
            "responses": [option for option in responses if option["segment_id"] == row["segment_id"]],
        }
        for row in profiles
        if row["as_of_date"] == as_of_date
    ]
    figures = ("as_of_date", "stayed_rate", *(f"{kind}_rand{end}" for kind in ("customers", "refit") for end in ENDS))
    told = {
        row["as_of_date"]: {name: row[name] for name in figures} for row in profiles if row["refit_rand"] is not None
    }
    return {"as_of_date": as_of_date, "groups": groups, "stability": [told[day] for day in sorted(told)]}


ENDS = ("", "_low", "_high")


def segments_table(found: dict[str, Any]) -> Table:
    """The groups for a person, a line each."""
    table = Table(title=f"Customers without a relationship manager, {found['as_of_date']}", title_justify="left")
    for name in (
        "",
        "group",
        "customers",
        "assets each",
        "earns in 90 days",
        "costs a month",
        "left",
        "channel",
        "offer",
    ):
        table.add_column(name, justify="left" if name in ("group", "channel", "offer") else "right")
    table.columns[1].min_width = 24
    for group in found["groups"]:
        table.add_row(
            str(group["segment_id"]),
            f"{group['segment_name_en']}\n{group['segment_name_zh']}",
            f"{group['customer_count']:,}",
            *_figures(group),
        )
    return table


def segments_page(found: dict[str, Any]) -> str:
    """The groups as one HTML page that needs no other file, with a plot of each."""
    heads = ("group", "customers", "share", "assets each", "earns in 90 days", "costs a month", "left in 90 days")
    rows = "".join(
        f"<tr><td><a href='#group-{group['segment_id']}'>{escape(group['segment_name_en'])}<br>"
        f"{escape(group['segment_name_zh'])}</a></td><td>{group['customer_count']:,}</td>"
        f"<td>{group['customer_share']:.0%}</td>"
        + "".join(f"<td>{escape(text)}</td>" for text in _figures(group)[:4])
        + "</tr>"
        for group in found["groups"]
    )
    stability = "".join(
        f"<tr><td>{month['as_of_date']}</td><td>{month['stayed_rate']:.0%}</td>"
        + "".join(f"<td>{_interval(month, f'{kind}_rand', '.2f')}</td>" for kind in ("customers", "refit"))
        + "</tr>"
        for month in found["stability"]
    )
    head = "".join(f"<th>{name}</th>" for name in heads)
    return page(
        "The long tail in groups",
        f"""
<p>Customers without a relationship manager on {found["as_of_date"]}, by what they hold and do. A customer's place among
all others decides, not the amount. Left: share that closed every account within 90 days, at the newest month-end whose
outcome is known, with the 95 % interval. Earned and cost: by the bank's rates per product and channel.</p>
<table><tr>{head}</tr>{rows}</table>
<h2>How stable</h2>
<p>Each month-end against the one before; adjusted Rand index: 1 is the same grouping, 0 is chance, with 95 % intervals.
"Customers": by the model in use, so people really changed. "Models": two models fitted afresh on either month.</p>
<table><tr><th>month-end</th><th>stayed in their group</th><th>customers</th><th>models</th></tr>{stability}</table>
{"".join(map(_section, found["groups"]))}""",
    )


def _section(group: dict[str, Any]) -> str:
    responses = "".join(
        f"<tr><td>{option['option_kind']} {escape(option['option_code'])}</td><td>{option['touch_count']:,}</td>"
        f"<td>{option['answer_count']:,}</td><td>{_interval(option, 'answer_rate', '.0%')}</td>"
        f"<td>{'best' if option['option_rank'] == 1 else '' if option['is_enough'] else 'too few'}</td></tr>"
        for option in group["responses"]
    )
    months = "".join(
        f"<tr><td>{month['as_of_date']}</td><td>{month['customer_count']:,}</td>"
        f"<td>{month['average_aum_amount']:,.0f}</td><td>{_churn(month)}</td></tr>"
        for month in group["months"]
    )
    return f"""<section id="group-{group["segment_id"]}">
<h2>{group["segment_id"]}. {escape(group["segment_name_en"])} <small>{escape(group["segment_name_zh"])}</small></h2>
<p>{escape(group["profile_en"])}<br>{escape(group["profile_zh"])}</p>
{_plot(group["traits"])}
<div class="beside">
<table><tr><th>answers to campaigns</th><th>contacts</th><th>answered</th><th>rate</th><th></th></tr>{responses}</table>
<table><tr><th>date</th><th>customers</th><th>assets each</th><th>left in 90 days</th></tr>{months}</table>
</div></section>
"""


def _plot(traits: list[dict[str, Any]]) -> str:
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    axes = figure.subplots()
    shown = traits[::-1]
    places = [trait["deviation"] for trait in shown]
    colors = [HIGH if place > 0.25 else LOW if place < -0.25 else PLAIN for place in places]
    bars = axes.barh([trait["trait_en"] for trait in shown], places, color=colors)
    medians = [
        f"median {_number(trait['median_value'])}, all {_number(trait['median_of_all_value'])}" for trait in shown
    ]
    axes.bar_label(bars, medians, padding=4, fontsize="x-small", color="#555")
    reach = max(1.0, *map(abs, places)) * 1.7
    axes.set(xlim=(-reach, reach), xlabel="place among all customers, in standard deviations from the mean")
    axes.axvline(0, color="#222", linewidth=0.8)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(left=False, labelsize="small")
    return svg(figure)


def _figures(group: dict[str, Any]) -> tuple[str, ...]:
    known = [month for month in group["months"] if month["churn_rate"] is not None]
    return (
        f"{group['average_aum_amount']:,.0f}",
        f"{group['average_contribution_3m_amount']:,.0f}",
        f"{_whole_months(group)[-1]['average_service_cost_amount']:,.2f}",
        _churn(known[-1]) if known else "-",
        _best(group, "best_channel", "best_channel"),
        _best(group, "best_offer", "best_offer_code"),
    )


def _whole_months(group: dict[str, Any]) -> list[dict[str, Any]]:
    """Without the month under way, whose costs are not all there yet."""
    return group["months"][:-1] or group["months"]


def _best(group: dict[str, Any], name: str, code: str) -> str:
    return f"{group[code]} {_interval(group, f'{name}_rate', '.0%')}" if group[code] else "too few contacts"


def _churn(month: dict[str, Any]) -> str:
    return "-" if month["churn_rate"] is None else _interval(month, "churn_rate", ".1%")


def _interval(row: dict[str, Any], name: str, form: str) -> str:
    value, low, high = (f"{row[f'{name}{end}']:{form}}" for end in ENDS)
    return f"{value} ({low}-{high})"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.2f}" if abs(value) < 10 else f"{value:,.0f}"
