"""The command ``lineage``: from which columns of the feeds a published column derives, and what derives from one."""

from typing import Annotated

import typer
from rich.table import Table

from c360.cli.output import Json, Target, show


def lineage(
    column: Annotated[str, typer.Argument(help="For instance marts.customer_360.aum_amount, or customers.birth_date.")],
    target: Target = None,
    json_: Json = False,
) -> None:
    """Where a published column comes from: columns of feeds and seeds, and the way through the models.

    Of a column of a feed or a seed (build_seeds.…): the published columns that derive from it.
    """
    from lakehouse.settings import Settings
    from lakehouse.warehouse.derivation import read_lineage

    known = read_lineage(Settings.from_env(target=target))
    known.require(column)
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
