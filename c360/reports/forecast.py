"""Where balances and outflows go in the next 13 weeks, how good such forecasts were, and what if rates moved."""

from collections.abc import Mapping
from html import escape
from typing import Any

from matplotlib.dates import ConciseDateFormatter
from matplotlib.figure import Figure
from rich.table import Table

from lakehouse import warehouse
from lakehouse.pages import page, svg
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


def forecast_report(settings: Settings, shifts: Mapping[str, float]) -> dict[str, Any]:
    """Forecasts and their accuracy as published, with the history of the bank; and what shifted rates would change.

    Parameters
    ----------
    shifts : mapping of rate code to percentage points
        From the first week ahead on, for all 13.

    Returns
    -------
    dict
        ``as_of_date`` (None: no forecast, the history is too short), ``forecasts``, ``accuracy``, ``history`` and
        ``what_if``.
    """
    forecasts = warehouse.query_serving(settings, _FORECASTS).to_pylist()
    as_of_date = forecasts[0]["as_of_date"] if forecasts else None
    return {
        "as_of_date": as_of_date,
        "forecasts": forecasts,
        "accuracy": warehouse.query_serving(settings, _ACCURACY).to_pylist(),
        "history": warehouse.query_serving(settings, _HISTORY, (as_of_date,)).to_pylist() if forecasts else [],
        "what_if": _what_if(settings, shifts) if forecasts and shifts else [],
    }


def forecast_tables(found: dict[str, Any]) -> list[Table]:
    """For a person: the bank's forecasts, how good they were, and the effect of shifted rates."""
    ahead = Table(
        title=f"13 weeks ahead of {found['as_of_date']}, the bank in thousands (80 % interval)", title_justify="left"
    )
    ahead.add_column("measure")
    for week in SHOWN_WEEKS:
        ahead.add_column(f"week {week}", justify="right")
    for measure in TITLES:
        own = {row["horizon_weeks"]: row for row in _bank(found, measure)}
        if own:
            ahead.add_row(measure, *(_reach(own[week], "80") for week in SHOWN_WEEKS))
    good = Table(
        title=f"Mean absolute error in thousands on weeks not seen (saving against {_baselines(found)})",
        title_justify="left",
    )
    for name in ("measure", "level", "model", *(f"week {week}" for week in SHOWN_WEEKS), "inside 80 %, 95 %"):
        good.add_column(name, justify="left" if name in ("measure", "level", "model") else "right")
    for measure, level, rows in _accuracies(found):
        good.add_row(
            measure,
            level,
            rows[0]["model"],
            *(_skill(row) for row in rows if row["horizon_weeks"] in SHOWN_WEEKS),
            _coverage(rows),
        )
    return [ahead, good, *([_what_if_table(found)] if found["what_if"] else [])]


def forecast_page(found: dict[str, Any]) -> str:
    """The same as one HTML page that needs no other file, with plots."""
    plots = "".join(
        f"<h2>{title}</h2>{_plot(found, measure)}{_families(found, measure)}"
        for measure, title in TITLES.items()
        if _bank(found, measure)
    )
    accuracy = "".join(
        f"<tr><td>{measure}</td><td>{level}</td><td>{rows[0]['series_count']:,}</td><td>{rows[0]['model']}</td>"
        + "".join(f"<td>{_skill(row)}</td>" for row in rows if row["horizon_weeks"] in SHOWN_WEEKS)
        + f"<td>{_coverage(rows)}</td></tr>"
        for measure, level, rows in _accuracies(found)
    )
    weeks = "".join(f"<th>week {week}</th>" for week in SHOWN_WEEKS)
    effects = "".join(
        f"<tr>{''.join(f'<td>{escape(text)}</td>' for text in _effect_row(row))}</tr>" for row in found["what_if"]
    )
    what_if = (
        f"<h2>What if {_shifts(found)}: change in 13 weeks</h2><p>{CAUTION}</p>"
        f"<table><tr>{''.join(f'<th>{name}</th>' for name in EFFECT_HEADS)}</tr>{effects}</table>"
        if effects
        else ""
    )
    origins = found["accuracy"][0]["origin_count"] if found["accuracy"] else 0
    return page(
        "13 weeks ahead",
        f"""
<p>Weekly forecasts from {found["as_of_date"]}, by branch and product; they add up to the bank. Shaded: 80 and 95 %
intervals. Dotted: the baseline.</p>
{plots}
{what_if}
<h2>How good</h2>
<p>Mean absolute error in thousands from {origins} weeks whose outcome is known by now, none of which chose the model or
the width of the intervals; in brackets the saving against {_baselines(found)}, with its 95 % interval. The outcomes of
neighbouring weeks overlap: take the intervals as narrow ones. A saving below zero: the baseline was better.</p>
<table><tr><th>measure</th><th>level</th><th>series</th><th>model</th>{weeks}<th>inside 80 %, 95 %</th></tr>
{accuracy}</table>""",
    )


def _what_if(settings: Settings, shifts: Mapping[str, float]) -> list[dict[str, Any]]:
    """Effect of each shift on the bank and its product families after 13 weeks; of an outflow on the sum over them.

    The intervals hold together with 95 % (Bonferroni): of twenty series one would seem to move by chance.
    """
    import numpy as np
    from scipy.stats import t as student

    from ml_jobs.derived.forecasts import MEASURES, read_history
    from ml_jobs.learning.forecasting import HORIZON, effect
    from ml_jobs.learning.hierarchy import Hierarchy

    history = read_history(
        lambda *query: warehouse.query_serving(settings, *query), "marts", warehouse.last_published(settings)
    )
    names = history.drivers.names
    told = []
    for measure, wide in history.series.items():
        hierarchy = Hierarchy.of(
            *(wide.columns.get_level_values(at).to_numpy(str) for at in range(wide.columns.nlevels))
        )
        own = np.flatnonzero(np.isin(hierarchy.level, ("bank", "family")))
        nodes = hierarchy.sums(wide.to_numpy())[:, own]
        for rate, points in shifts.items():
            found = effect(nodes, history.drivers, MEASURES[measure], rate)
            rates = history.drivers.rates[:, names.index(rate) - len(names)]
            told += [
                {
                    "measure": measure,
                    "product_family": str(hierarchy.family[at]),
                    "rate_code": rate,
                    "points": points,
                    "lowest_rate": float(rates.min()),
                    "highest_rate": float(rates.max()),
                    "change_amount": points * HORIZON * found.per_week[place],
                    "standard_error": abs(points) * HORIZON * found.standard_error[place],
                    "freedom": found.freedom,
                }
                for place, at in enumerate(own)
            ]
    for row in told:
        reach = row.pop("standard_error") * student.ppf(1 - 0.025 / len(told), row.pop("freedom"))
        is_told = bool(np.isfinite(reach))
        row |= {
            "change_amount": float(row["change_amount"]) if is_told else None,
            "low_amount": float(row["change_amount"] - reach) if is_told else None,
            "high_amount": float(row["change_amount"] + reach) if is_told else None,
            "is_identified": bool(abs(row["change_amount"]) > reach),
        }
    return told


def _what_if_table(found: dict[str, Any]) -> Table:
    table = Table(title=f"What if {_shifts(found)}: change in 13 weeks", title_justify="left")
    table.caption, table.caption_justify = CAUTION, "left"
    for name in EFFECT_HEADS:
        table.add_column(name, justify="right" if name in ("change", "95 % interval") else "left")
    for row in found["what_if"]:
        table.add_row(*_effect_row(row))
    return table


def _shifts(found: dict[str, Any]) -> str:
    told = {
        row["rate_code"]: f"{row['rate_code']} moved by {row['points']:+.2f} points "
        f"(it has been {row['lowest_rate']:.2f} to {row['highest_rate']:.2f} %)"
        for row in found["what_if"]
    }
    return " or ".join(told.values())


def _effect_row(row: dict[str, Any]) -> tuple[str, ...]:
    head = (row["measure"], row["product_family"], row["rate_code"])
    if row["change_amount"] is None:
        return (*head, "-", "-", "nothing: the rate did not move by itself, or the history is too short")
    verdict = "moved with the rate" if row["is_identified"] else "no effect that can be told from chance"
    reach = f"{row['low_amount']:+,.0f} to {row['high_amount']:+,.0f}"
    return (*head, f"{row['change_amount']:+,.0f}", reach, verdict)


def _plot(found: dict[str, Any], measure: str) -> str:
    past = [row for row in found["history"] if row["measure"] == measure][-SHOWN_HISTORY:]
    ahead = _bank(found, measure)
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


def _families(found: dict[str, Any], measure: str) -> str:
    rows = [
        row
        for row in found["forecasts"]
        if row["measure"] == measure and row["branch_code"] == "all" and row["horizon_weeks"] in SHOWN_WEEKS
    ]
    families = dict.fromkeys(row["product_family"] for row in rows)
    lines = "".join(
        f"<tr><td>{escape(family)}</td>"
        + "".join(f"<td>{_reach(row, '80')}</td>" for row in rows if row["product_family"] == family)
        + "</tr>"
        for family in families
    )
    weeks = "".join(f"<th>week {week}</th>" for week in SHOWN_WEEKS)
    return f"<table><tr><th>thousands, 80 % interval</th>{weeks}</tr>{lines}</table>"


def _bank(found: dict[str, Any], measure: str) -> list[dict[str, Any]]:
    return [row for row in found["forecasts"] if row["measure"] == measure and row["series_level"] == "bank"]


def _accuracies(found: dict[str, Any]) -> list[tuple[str, str, list[dict[str, Any]]]]:
    levels = dict.fromkeys((row["measure"], row["series_level"]) for row in found["accuracy"])
    return [
        (*key, [row for row in found["accuracy"] if (row["measure"], row["series_level"]) == key]) for key in levels
    ]


def _baselines(found: dict[str, Any]) -> str:
    told = {"seasonal_naive": "the same week a year ago", "naive": "no change"}
    return " or ".join(dict.fromkeys(told[row["baseline"]] for row in found["accuracy"])) or "the baseline"


def _reach(row: dict[str, Any], coverage: str) -> str:
    mean, low, high = (float(row[f"{name}_amount"]) for name in ("mean", f"lower_{coverage}", f"upper_{coverage}"))
    return f"{mean / 1000:,.0f} ({low / 1000:,.0f}-{high / 1000:,.0f})"


def _skill(row: dict[str, Any]) -> str:
    return f"{row['mae_amount'] / 1000:,.1f} ({row['skill']:+.0%}, {row['skill_low']:+.0%} to {row['skill_high']:+.0%})"


def _coverage(rows: list[dict[str, Any]]) -> str:
    if rows[0]["coverage_80"] is None:
        return "-"
    return ", ".join(f"{sum(row[f'coverage_{name}'] for row in rows) / len(rows):.0%}" for name in ("80", "95"))
