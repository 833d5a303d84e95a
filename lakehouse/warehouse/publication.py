"""What is published, and the hashes that show a change; every store follows these definitions."""

import hashlib
import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import astuple, dataclass, field, replace
from datetime import date, datetime
from graphlib import TopologicalSorter
from pathlib import Path

from lakehouse.catalog import Column, Relation
from lakehouse.contracts import load_feeds
from lakehouse.errors import Stop

SCHEMAS = ("marts", "features", "scores", "actions", "ops")
BUILT_SCHEMAS = tuple(f"build_{schema}" for schema in SCHEMAS)
NOT_CONTENT = ("run_id", "scored_at", "published_at")
WHOLE, NO_DATE = "all", "none"  # partitions of a table without date column, and of rows without a date
KEPT_PUBLISHES = 3  # readers of the last three whole publishes find their files
SCHEMA = Column("schema_name", "varchar", "Schema of the table")
TABLE = Column("table_name", "varchar", "Table or view")
PUBLICATIONS = Relation(
    "publications",
    "Grain: published table or view. What readers see: of which business date, published when and by which run.",
    (
        Column("publish_id", "bigint", "Number of the publish, one for all tables; it grows"),
        SCHEMA,
        TABLE,
        Column("business_date", "date", "Business date that the table is the state of"),
        Column("row_count", "bigint", "Rows; null for a view"),
        Column("content_hash", "varchar", "Hash of the content, equal for equal content"),
        Column("run_id", "varchar", "Run that published it"),
        Column("published_at", "timestamp", "When it was published"),
    ),
    schema="ops",
    key=("schema_name", "table_name"),
)
PARTITIONS = Relation(
    "published_partitions",
    "Grain: published table and month. The parts in which tables are compared and replaced.",
    (
        SCHEMA,
        TABLE,
        Column("partition_key", "varchar", "Month as 2026-01; all: the table has no months; none: rows without a date"),
        Column("row_count", "bigint", "Rows"),
        Column("row_hash", "varchar", "Sum of the hashes of the rows"),
        Column("content_hash", "varchar", "Hash of the content, equal for equal content"),
    ),
    schema="ops",
    key=("schema_name", "table_name", "partition_key"),
)

Columns = tuple[tuple[str, str], ...]  # (name, SQL type)
Hasher = Callable[[date | None], Iterable[tuple[date | None, int, int]]]


class CannotPublish(Stop):
    """What dbt built may not, or cannot, be shown to readers."""


@dataclass(frozen=True)
class Comment:
    """What a table or view is, and what each of its columns is."""

    text: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)  # of columns whose name does not say it


@dataclass(frozen=True)
class Model:
    """A dbt model that readers see, under the name that drops ``build_``."""

    schema: str
    name: str
    partition_by: str | None  # a date column
    is_view: bool
    is_incremental: bool
    reads: tuple[str, ...]  # published names of the models it selects from
    comment: Comment = Comment()

    @property
    def full_name(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def built_name(self) -> str:
        return f"build_{self.schema}.{self.name}"


@dataclass(frozen=True)
class Partition:
    """The rows of one month, or all; ``row_hash`` is the sum of the hashes of its rows, in any order."""

    row_count: int
    row_hash: int
    content_hash: str


@dataclass(frozen=True)
class Publication:
    """A row of ``ops.publications``, about one table; the publish id is one for all tables, see `Snapshot`."""

    business_date: date
    row_count: int | None  # None: a view
    content_hash: str
    run_id: str
    published_at: datetime


@dataclass(frozen=True)
class Snapshot:
    """All that a store shows at one moment, by published name."""

    publish_id: int
    publications: dict[str, Publication]
    partitions: dict[str, dict[str, Partition]]

    def without(self, schemas: Collection[str]) -> "Snapshot":
        """What stays when the given schemas are replaced."""

        def is_kept(name: str) -> bool:
            return name.split(".")[0] not in schemas

        return Snapshot(
            self.publish_id,
            {name: publication for name, publication in self.publications.items() if is_kept(name)},
            {name: partitions for name, partitions in self.partitions.items() if is_kept(name)},
        )

    def publication_rows(self) -> list[tuple]:
        """Rows for ``ops.publications``."""
        return [
            (self.publish_id, *name.split("."), *astuple(publication))
            for name, publication in sorted(self.publications.items())
        ]

    def partition_rows(self) -> list[tuple]:
        """Rows for ``ops.published_partitions``."""
        return [
            (*name.split("."), key, part.row_count, str(part.row_hash), part.content_hash)
            for name, parts in sorted(self.partitions.items())
            for key, part in sorted(parts.items())
        ]

    @classmethod
    def of_rows(cls, publications: Iterable[tuple], partitions: Iterable[tuple]) -> "Snapshot":
        """The inverse of the two; no rows: nothing was published yet."""
        snapshot = cls(0, {}, {})
        for publish_id, schema, table, *rest in publications:
            snapshot = replace(snapshot, publish_id=publish_id)
            snapshot.publications[f"{schema}.{table}"] = Publication(*rest)
        for schema, table, key, count, row_hash, content in partitions:
            parts = snapshot.partitions.setdefault(f"{schema}.{table}", {})
            parts[key] = Partition(count, int(row_hash), content)
        return snapshot


def read_models(manifest: Path) -> list[Model]:
    """The models of dbt's manifest that are published; views last, each after what it reads.

    Raises
    ------
    CannotPublish
        If a view reads what is not published.
    """
    nodes = {
        key: node
        for key, node in json.loads(manifest.read_text())["nodes"].items()
        if node["resource_type"] == "model"
        and node["schema"] in BUILT_SCHEMAS
        and node["config"]["materialized"] != "ephemeral"
    }
    models = []
    for key in TopologicalSorter({key: node["depends_on"]["nodes"] for key, node in nodes.items()}).static_order():
        if key not in nodes:
            continue
        node, config = nodes[key], nodes[key]["config"]
        is_view = config["materialized"] == "view"
        if is_view and (hidden := set(node["depends_on"]["nodes"]) - nodes.keys()):
            raise CannotPublish(
                f"{node['name']} is a view over {', '.join(sorted(hidden))}, which readers do not have: make it a table"
            )
        models.append(
            Model(
                schema=node["schema"].removeprefix("build_"),
                name=node["alias"],
                partition_by=config["meta"].get("partition_by"),
                is_view=is_view,
                is_incremental=config["materialized"] == "incremental"
                and config.get("incremental_strategy") != "replace_histories",  # which changes months of any age
                reads=tuple(_published_name(nodes[read]) for read in node["depends_on"]["nodes"] if read in nodes),
                comment=_comment(node),
            )
        )
    return sorted(models, key=lambda model: model.is_view)


def check_finished(schemas: Collection[str], is_building: bool) -> None:
    """Refuse marts that a killed build left between two days.

    Raises
    ------
    CannotPublish
        If a build began and did not end; ``ops`` may be published nevertheless.
    """
    if is_building and set(schemas) != {"ops"}:
        raise CannotPublish("a build was cut short and left the marts between two days: run its business date again")


def check_columns(model: Model, columns: Columns) -> None:
    """Refuse a table that shows a person.

    Raises
    ------
    CannotPublish
        If a column has the name of a contract's PII column.
    """
    private = {column.name for feed in load_feeds().values() for column in feed.columns if column.is_pii}
    if shown := sorted(private & {name for name, _ in columns}):
        raise CannotPublish(
            f"{model.full_name} has {', '.join(shown)}, which the contracts call PII: publish a token or nothing"
        )


def content_columns(columns: Columns) -> Columns:
    """(name, type) of the columns that are content, by name: their order in a table is none."""
    return tuple(sorted(column for column in columns if column[0] not in NOT_CONTENT))


def partition_of(columns: Columns, row_count: int, row_hash: int) -> Partition:
    """Name the content of some rows: the names and types of their columns, how many they are, and their hash."""
    signature = json.dumps([content_columns(columns), row_count, str(row_hash)])
    return Partition(row_count, row_hash, hashlib.sha256(signature.encode()).hexdigest()[:16])


def whole_of(columns: Columns, partitions: dict[str, Partition]) -> Partition:
    """All partitions as one; how the rows are divided does not matter."""
    return partition_of(
        columns,
        sum(partition.row_count for partition in partitions.values()),
        sum(partition.row_hash for partition in partitions.values()),
    )


def current_partitions(
    model: Model,
    columns: Columns,
    last: dict[str, Partition],
    since: date | None,
    hash_rows: Hasher,
) -> dict[str, Partition]:
    """The partitions of a table as it stands in the build engine.

    Parameters
    ----------
    last : dict of Partition
        As last published.
    since : date, optional
        Before it, incremental tables have not changed since then; None: everything may have.
    hash_rows : callable
        Given the first date to read (None: all rows), yields month (None: no date), number and hash of its rows.
    """
    kept = {}
    if since := first_unpublished(model, since):
        kept = {key: part for key, part in last.items() if key < month_of(since)}
        if any(part != partition_of(columns, part.row_count, part.row_hash) for part in kept.values()):
            kept, since = {}, None  # the table has other columns now
    fresh = {
        month_of(month) if month else (NO_DATE if model.partition_by else WHOLE): partition_of(columns, count, total)
        for month, count, total in hash_rows(since and since.replace(day=1))
    }
    return kept | fresh or {WHOLE: partition_of(columns, 0, 0)}


def first_unpublished(model: Model, since: date | None) -> date | None:
    """The first date of a table that has not been published as it stands; None: any row may have changed."""
    return since if model.is_incremental and model.partition_by else None


def view_hash(definition: str, inputs: Iterable[str]) -> str:
    """Name the content of a view: its definition, and the content of what it reads."""
    return hashlib.sha256("\n".join([definition, *sorted(inputs)]).encode()).hexdigest()[:16]


def month_of(day: date) -> str:
    """The partition of a date, for instance 2026-01."""
    return f"{day:%Y-%m}"


def month_bounds(partition: str) -> tuple[date, date]:
    """First day of the month, and of the next one."""
    first = date.fromisoformat(f"{partition}-01")
    following = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    return first, following


def published_definition(definition: str) -> str:
    """A view's SQL as the engine keeps it, reading published tables instead of built ones."""
    schemas = "|".join(SCHEMAS)
    return re.sub(rf'"?\bbuild_({schemas})\b"?\.', r"\1.", definition)


def _comment(node: dict) -> Comment:
    columns = node["columns"].values()
    return Comment(
        node.get("description", ""),
        {column["name"]: column.get("description", "") for column in columns},
        {column["name"]: unit for column in columns if (unit := column.get("meta", {}).get("unit")) is not None},
    )


def _published_name(node: dict) -> str:
    return f"{node['schema'].removeprefix('build_')}.{node['alias']}"
