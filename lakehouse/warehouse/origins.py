"""The rows of ``ops.lineage``: every published column with the columns that it derives from."""

from collections.abc import Iterator

from lakehouse.contracts import load_feeds
from lakehouse.warehouse.derivation import Lineage
from lakehouse.warehouse.publication import SCHEMAS

Row = dict[str, str | None]  # by column of `lakehouse.catalog.COLUMN_LINEAGE`


def rows(lineage: Lineage) -> list[Row]:
    """A row per published column and root, in order; one without a source where the column is made of nothing."""
    published = sorted(column for column in lineage.direct if column.partition(".")[0] in SCHEMAS)
    return [row for column in published for row in _of_column(lineage, column)]


def _of_column(lineage: Lineage, column: str) -> Iterator[Row]:
    schema, table, name = column.split(".")
    shown: Row = {"schema_name": schema, "table_name": table, "column_name": name}
    way = {column, *lineage.sources(column)}
    roots = sorted(way - lineage.direct.keys())
    if not roots:
        yield shown | {"source_kind": "none", "channel": None, "source_name": None, "source_column": None}
    for root in roots:
        relation, _, source = root.rpartition(".")
        kind, channel = "seed" if relation.startswith("build_seeds.") else "step", None
        if feed := load_feeds().get(relation):
            is_shown = any(root in lineage.direct.get(reader, ()) for reader in way - {f"{root}_token"})
            kind, channel = "feed" if is_shown else "token", feed.channel
        yield shown | {"source_kind": kind, "channel": channel, "source_name": relation, "source_column": source}
