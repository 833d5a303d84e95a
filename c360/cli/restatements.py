"""``restatements``: what a publish changed of what an earlier one had shown of the past, and by which delivery."""

from datetime import datetime
from typing import Annotated

import typer

from c360.cli.output import Json, Target, day_of, show, table_of
from lakehouse.errors import Stop

TABLE = "ops.restatements"


def restatements(
    since: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Restatements of dates from this day on; by default of all."),
    ] = None,
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
    if TABLE not in warehouse.published_snapshot(settings).publications:
        raise Stop(f"the store was published before there was {TABLE}", "run a business date first (`c360 run`)")
    first = day_of(since)
    rows = warehouse.query_serving(
        settings,
        "select after_publish_id, figure_date, table_name, measure, value_before, value_after, deliveries "
        f"from {TABLE} {'where figure_date >= $1' if first else ''} "
        "order by after_publish_id, figure_date, table_name, measure",
        [first] if first else [],
    ).to_pylist()
    show({"restatements": rows}, json_, lambda: [table_of(rows)])
