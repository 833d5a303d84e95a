"""``c360 retain``: what is kept longer than the deployment says goes."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.table import Table

from c360.cli.output import Json, day_of, labelled, show
from lakehouse.errors import Stop


def retain(
    date: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Business date by which ages count; by default the published one."),
    ] = None,
    by: Annotated[str, typer.Option(help="Who removes; it is kept with the list of what went.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go; write nothing.")] = False,
    json_: Json = False,
) -> None:
    """Remove landed files and page views that are older than `retention` of the deployment file keeps them."""
    from lakehouse import retention
    from lakehouse.settings import Settings

    settings = Settings.from_env()
    day = retention.counted_from(settings, day_of(date))
    if day is None:
        raise Stop("nothing is published", "give --date")
    if not (dry_run or by.strip()):
        raise Stop("a removal needs a name", "give --by, or --dry-run to look first")
    aged = retention.look_at(settings, day) if dry_run else retention.retain(settings, day, by.strip())

    def tables() -> Iterator[RenderableType]:
        yield labelled("Business date", str(day))
        rules: dict[str, list[retention.Aged]] = {}
        for one in aged:
            rules.setdefault(one.rule, []).append(one)
        table = Table("kept for", "files", "bytes")
        for rule, files in rules.items():
            table.add_row(rule, f"{len(files):,}", f"{sum(one.bytes for one in files):,}")
        yield table

    show({"business_date": str(day), "files": aged}, json_, tables)
