"""``restatements``: what a publish changed of what an earlier one had shown of the past, and by which delivery."""

from typing import Annotated

import typer

from c360.cli.output import Day, Json, Target, day_of, show, table_of


def restatements(
    since: Annotated[Day, typer.Option(help="Restatements of dates from this day on; by default of all.")] = None,
    target: Target = None,
    json_: Json = False,
) -> None:
    """Figures of past dates that a later publish showed otherwise: before, after, and the deliveries behind it.

    The figures are those of marts.daily_figures; the same rows are in ops.restatements.
    """
    from lakehouse import warehouse
    from lakehouse.settings import Settings

    settings = Settings.from_env(target=target)
    warehouse.last_published(settings)
    first = day_of(since)
    rows = warehouse.query_serving(
        settings,
        "select after_publish_id, figure_date, table_name, measure, value_before, value_after, deliveries "
        f"from ops.restatements {'where figure_date >= $1' if first else ''} "
        "order by after_publish_id, figure_date, table_name, measure",
        [first] if first else [],
    ).to_pylist()
    show({"restatements": rows}, json_, lambda: [table_of(rows)])
