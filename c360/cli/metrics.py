"""The group ``metrics``: figures by name, from their one definition."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from c360.cli.output import Json, Target, day_of, labelled, show, spoken

metrics = typer.Typer(no_args_is_help=True, help="Figures by name, each from its one definition.")


@metrics.command("list")
def list_(target: Target = None, json_: Json = False) -> None:
    """Every metric: what it is, its unit, and by what it can be divided."""
    from c360 import metrics as module
    from lakehouse.settings import Settings

    say = spoken()
    found = module.list_metrics(Settings.from_env(target=target))

    def lines() -> Iterator[Text]:
        for metric in found:
            yield labelled(metric.name, f"{say.of(vars(metric), 'label')} [{say.code(metric.unit)}]")
            yield Text(f"  {say.of(vars(metric), 'description')}")
            yield Text(
                f"  {say('divided by {names}', names=', '.join([*module.TIMES, *metric.dimensions]))}", style="dim"
            )

    show({"metrics": found}, json_, lines)


@metrics.command()
def query(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Metrics, as `c360 metrics list` names them.")],
    by: Annotated[
        list[str] | None, typer.Option(help="Divide by a dimension, or day, week, month, quarter or year; repeatable.")
    ] = None,
    first: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day.")] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day.")] = None,
    target: Target = None,
    json_: Json = False,
) -> None:
    """Figures of the published store: `c360 metrics query aum --by month --by home_branch_code --from 2025-01-01`.

    What customers have is a figure of a date: over a period it is that of its last date. All others are sums.
    """
    from c360 import metrics as module
    from lakehouse.settings import Settings

    settings = Settings.from_env(target=target)
    figures = module.query_metrics(settings, names, by or (), day_of(first), day_of(last))

    def tables() -> list[Table]:
        say, asked = spoken(), {metric.name: metric for metric in figures.metrics}
        table = Table()
        for column in figures.columns:
            metric = asked.get(column)
            unit = f"\n({say.code(metric.unit)})" if metric else ""
            name = say.of(vars(metric), "label") if metric else say.column(column)
            table.add_column(f"{name}{unit}", justify="right" if metric else "left")
        for row in figures.rows:
            table.add_row(*map(_shown, row))
        return [table]

    show({"columns": figures.columns, "rows": figures.rows}, json_, tables)


def _shown(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, float):
        return f"{cell:,.4f}"
    return str(cell) if isinstance(cell, str) or not hasattr(cell, "__int__") else f"{cell:,}"
