"""Commands that print what is published: ``customer``, ``handover``, ``worklist``, and the group ``report``."""

from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer

from c360.cli.output import Json, Target, show, spoken, write_page, writing

report = typer.Typer(no_args_is_help=True, help="Reports over what is published.")
WHY_NOT = "the detail of the step score in ops.runs says why"

Html = Annotated[Path | None, typer.Option(dir_okay=False, help="Write the report as a page, too.")]


def customer(
    key: Annotated[str, typer.Argument(help="Customer, or any record of one, such as cif:C100000001.")],
    html: Html = None,
    target: Target = None,
    json_: Json = False,
) -> None:
    """One customer on one page: holdings, tier, stage, money, chain, changes, scores, next action, journey."""
    from c360.audit import note_views
    from c360.reports import customer as module
    from lakehouse.settings import Settings

    settings = Settings.from_env(target=target)
    content = module.read(settings, key)
    note_views(settings, "customer", [str(content.customer["customer_key"])])
    _present(module, content, html, json_)


def handover(
    rm: Annotated[str, typer.Argument(help="Staff number of the relationship manager.")],
    names: Annotated[bool, typer.Option("--names", help="Show customers' names: personal data.")] = False,
    html: Html = None,
    target: Target = None,
    json_: Json = False,
) -> None:
    """What a colleague needs to take over from a relationship manager: customers, open actions, promises, contacts."""
    from c360.audit import note_views
    from c360.reports import handover as module
    from lakehouse.settings import Settings

    settings = Settings.from_env(target=target)
    content = module.read(settings, rm, names)
    keys = [str(one.facts["customer_key"]) for one in content.customers]
    note_views(settings, "handover", keys, "with names" if names else None)
    _present(module, content, html, json_)


def worklist(
    branch: Annotated[str | None, typer.Option(help="Only customers of this branch.")] = None,
    rm: Annotated[str | None, typer.Option(help="Only customers of this relationship manager.")] = None,
    csv: Annotated[Path | None, typer.Option(dir_okay=False, help="Write the list as a CSV file, too.")] = None,
    html: Html = None,
    target: Target = None,
    json_: Json = False,
) -> None:
    """Everything to do today, once: whom to turn to, why, how sure, for how much money, who does it, and by when."""
    from c360.audit import note_views
    from c360.reports import worklist as module
    from lakehouse.settings import Settings

    settings = Settings.from_env(target=target)
    content = module.read(settings, branch, rm)
    written = ", ".join(f"written to {path.name}" for path in (csv, html) if path)
    note_views(settings, "worklist", [str(one["customer_key"]) for one in content.actions], written or None)
    if csv:
        with writing(csv):
            csv.write_text(module.lines(content), encoding="utf-8-sig")
    _present(module, content, html, json_)


@report.command()
def survival(html: Html = None, target: Target = None, json_: Json = False) -> None:
    """How long customers stay, per cohort of their first product, with intervals."""
    from c360.reports import survival as module
    from lakehouse.settings import Settings

    _present(module, module.read(Settings.from_env(target=target)), html, json_)


@report.command()
def segments(html: Html = None, target: Target = None, json_: Json = False) -> None:
    """The customers without a relationship manager in groups: size, value, cost, churn, the channel that works."""
    from c360.reports import segments as module
    from lakehouse.settings import Settings

    content = module.read(Settings.from_env(target=target))
    _present(module, content, html, json_, "" if content.groups else f"no groups: {WHY_NOT}")


@report.command()
def forecast(
    fund_yield: Annotated[float, typer.Option(help="Percentage points by which money-market fund yields rise.")] = 0.0,
    deposit_rate: Annotated[
        float, typer.Option(help="Percentage points by which the one-year deposit rate rises.")
    ] = 0.0,
    html: Html = None,
    target: Target = None,
    json_: Json = False,
) -> None:
    """Deposits, investments and outflows 13 weeks ahead, how good such forecasts were, and what if rates moved.

    `--fund-yield 0.5`: yields rise by 50 basis points. The effect is what the history shows, with its interval.
    """
    from c360.reports import forecast as module
    from lakehouse.settings import Settings

    shifts = {"mmf_yield": fund_yield, "deposit_1y": deposit_rate}
    content = module.read(Settings.from_env(target=target), {rate: shift for rate, shift in shifts.items() if shift})
    _present(module, content, html, json_, "" if content.forecasts else f"no forecast: {WHY_NOT}")


def _present(module: ModuleType, content: object, html: Path | None, as_json: bool, hint: str = "") -> None:
    """Write the page, if asked, and print the report of a module, or in place of empty tables a hint."""
    language = spoken().language
    write_page(html, lambda: module.page(content, language))
    show(content, as_json, lambda: [hint] if hint else module.tables(content, language))
