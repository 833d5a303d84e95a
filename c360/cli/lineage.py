"""Where a figure comes from: the command ``lineage`` for a column or a customer's rows, ``reproduce`` for a table."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from c360.cli.output import Json, Target, progress, show, spoken, writing
from lakehouse.errors import Stop

if TYPE_CHECKING:  # it loads pydantic, for which most commands do not wait
    from collections.abc import Collection

    from lakehouse.settings import Settings


def lineage(
    column: Annotated[str, typer.Argument(help="For instance marts.customer_360.aum_amount, or customers.birth_date.")],
    customer: Annotated[
        str | None, typer.Option("--customer", help="Customer key: the files and rows behind the column, for them.")
    ] = None,
    target: Target = None,
    json_: Json = False,
) -> None:
    """Where a published column comes from: columns of feeds and seeds, and the way through the models.

    Of a column of a feed or a seed (build_seeds.…): the published columns that derive from it. With --customer: the
    customer's rows in those feeds, by file and line; a header is line 1.
    """
    from lakehouse.settings import Settings
    from lakehouse.warehouse.derivation import read_lineage

    settings = Settings.from_env(target=target)
    known = read_lineage(settings)
    known.require(column)
    if customer:
        _show_rows(settings, known.feeds(column), customer, json_)
        return
    roots, steps, derived = known.roots(column), known.sources(column), known.columns_from(column)

    def tables() -> list[Table]:
        origins = Table("derives from")
        for root in roots:
            origins.add_row(root)
        way = Table("column", "is read by")
        for source, reader in steps.items():
            way.add_row(source, reader)
        uses = Table("published columns that derive from it")
        for published in derived:
            uses.add_row(published)
        return [table for table in (origins, way, uses) if table.row_count]

    show({"column": column, "roots": roots, "read_by": steps, "derived": derived}, json_, tables)


def _show_rows(settings: "Settings", feeds: "Collection[str]", customer: str, as_json: bool) -> None:
    from c360.audit import note_views
    from lakehouse.warehouse.provenance import rows_behind

    note_views(settings, "lineage", [customer])
    behind = rows_behind(settings, customer, feeds)

    def tables() -> list[Table]:
        table = Table("feed", "delivery", "file", "rows", "lines")
        for each in behind:
            table.add_row(each.feed, each.delivery, each.file, f"{each.row_count:,}", each.lines)
        return [table]

    show({"customer": customer, "rows": behind}, as_json, tables)


def reproduce(
    table: Annotated[str | None, typer.Argument(help="For instance marts.customer_360; by default all.")] = None,
    publish: Annotated[int | None, typer.Option(min=1, help="Number of the publish; by default the last.")] = None,
    json_: Json = False,
) -> None:
    """Build a past publish again from the lake, beside the bank, and compare contents; exit code 1 if they differ.

    It takes as long as a first run without training.
    """
    from c360.reproduction import reproduce as build_again
    from lakehouse.settings import Settings

    settings = Settings.from_env()
    with writing(settings.lake.parent):
        done = build_again(settings, publish, table, progress())

    def tables() -> list[Table]:
        say, compared = spoken(), Table("table", "published", "reproduced", "")
        for each in done.tables:
            compared.add_row(
                each.table,
                each.published_hash[:12],
                each.reproduced_hash[:12] if each.reproduced_hash else say("not made"),
                say("equal") if each.is_equal else say("DIFFERS"),
            )
        return [compared]

    show(done, json_, tables)
    differ = [each.table for each in done.tables if not each.is_equal]
    if differ:
        why = f"people were erased since: {', '.join(done.erased_since)}" if done.erased_since else ""
        raise Stop(f"publish {done.record.publish_id} is not what the lake gives: {', '.join(differ)} differ", why)
