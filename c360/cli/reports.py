"""Commands that print what is published: ``customer``, ``handover``, and the group ``report``."""

from pathlib import Path
from typing import Annotated

import typer

from c360.cli.output import Json, Target, show, write_page

report = typer.Typer(no_args_is_help=True, help="Reports over what is published.")
WHY_NOT = "the detail of the step score in ops.runs says why"


def handover(
    rm: Annotated[str, typer.Argument(help="Staff number of the relationship manager.")],
    names: Annotated[bool, typer.Option("--names", help="Show customers' names: personal data.")] = False,
    target: Target = None,
    json_: Json = False,
) -> None:
    """What a colleague needs to take over from a relationship manager: customers, open actions, promises, contacts."""
    from c360.reports.handover import hand_over, pack_table
    from lakehouse.settings import Settings

    pack = hand_over(Settings.from_env(target=target), rm, names)
    show(pack, json_, lambda: [pack_table(pack)])


def customer(
    key: Annotated[str, typer.Argument(help="Customer, or any record of one, such as cif:C100000001.")],
    html: Annotated[Path | None, typer.Option(dir_okay=False, help="Write a page with plots here.")] = None,
    target: Target = None,
    json_: Json = False,
) -> None:
    """One customer on one page: holdings, tier, stage, money, chain, changes, scores, next action, journey."""
    from c360.reports.customer import picture, picture_page, picture_text
    from lakehouse.settings import Settings

    found = picture(Settings.from_env(target=target), key)
    write_page(html, lambda: picture_page(found))
    show(found, json_, lambda: [picture_text(found)])


@report.command()
def survival(
    html: Annotated[Path | None, typer.Option(dir_okay=False, help="Write a page with the plot here.")] = None,
    target: Target = None,
    json_: Json = False,
) -> None:
    """How long customers stay, per cohort of their first product, with intervals."""
    from c360.reports.survival import curves_page, curves_table, survival_curves
    from lakehouse.settings import Settings

    found = survival_curves(Settings.from_env(target=target))
    write_page(html, lambda: curves_page(found))
    show(found, json_, lambda: [curves_table(found)])


@report.command()
def segments(
    html: Annotated[Path | None, typer.Option(dir_okay=False, help="Write a page with a plot per group here.")] = None,
    target: Target = None,
    json_: Json = False,
) -> None:
    """The customers without a relationship manager in groups: size, value, cost, churn, the channel that works."""
    from c360.reports.segments import segment_report, segments_page, segments_table
    from lakehouse.settings import Settings

    found = segment_report(Settings.from_env(target=target))
    write_page(html, lambda: segments_page(found))
    show(found, json_, lambda: [segments_table(found) if found["groups"] else f"no groups: {WHY_NOT}"])


@report.command()
def forecast(
    fund_yield: Annotated[float, typer.Option(help="What if money-market fund yields rose by so many points?")] = 0.0,
    deposit_rate: Annotated[
        float, typer.Option(help="What if the one-year deposit rate rose by so many points?")
    ] = 0.0,
    html: Annotated[Path | None, typer.Option(dir_okay=False, help="Write a page with plots here.")] = None,
    target: Target = None,
    json_: Json = False,
) -> None:
    """Deposits, investments and outflows 13 weeks ahead, how good such forecasts were, and what if rates moved.

    `--fund-yield 0.5`: yields rise by 50 basis points. The effect is what the history shows, with its interval.
    """
    from c360.reports.forecast import forecast_page, forecast_report, forecast_tables
    from lakehouse.settings import Settings

    shifts = {"mmf_yield": fund_yield, "deposit_1y": deposit_rate}
    found = forecast_report(Settings.from_env(target=target), {rate: shift for rate, shift in shifts.items() if shift})
    write_page(html, lambda: forecast_page(found))
    show(found, json_, lambda: forecast_tables(found) if found["forecasts"] else [f"no forecast: {WHY_NOT}"])
