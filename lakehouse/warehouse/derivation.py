"""From which columns every column derives: read from the SQL that dbt compiled, column by column, by sqlglot.

What a condition, a join or an order reads is not what a column shows; a value is followed through every function, but
those that a `Reading` leaves out.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from graphlib import TopologicalSorter

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope

from lakehouse.catalog import feed_relation
from lakehouse.contracts import load_feeds
from lakehouse.errors import Stop
from lakehouse.settings import Settings
from lakehouse.warehouse.dbt import compiled_sql, read_manifest
from lakehouse.warehouse.publication import SCHEMAS

_ANSWERS = (exp.Predicate, exp.Not, exp.Connector)  # yes or no

Sources = frozenset[str]  # columns, as `relation.column`
Shown = dict[str, Sources]  # of a relation or a query: column -> what it shows


class CannotFollow(Stop):
    """The SQL of a model is not one whose columns can be followed."""


@dataclass(frozen=True)
class Reading:
    """What counts as showing a value."""

    left_out: Collection[str] = ()  # operations whose result shows nothing of what they read
    has_answers: bool = True  # whether a comparison shows what it compares


@dataclass(frozen=True)
class Lineage:
    """The direct sources of every column that is built or published.

    Attributes
    ----------
    direct : mapping
        ``relation.column`` -> the columns from which its SQL makes it, or from which ingestion makes a token; empty
        if it is made of nothing: a literal, a number of rows, a day of the calendar. Other columns are not in it.
    """

    direct: Mapping[str, Sources]

    def require(self, column: str) -> None:
        """Raise `Stop` if no model makes or reads a column of that name; the message names those that are near."""
        columns = self.direct.keys() | {source for sources in self.direct.values() for source in sources}
        if column not in columns:
            near = get_close_matches(column, columns, n=3)
            raise Stop(f"there is no column {column}", f"did you mean {' or '.join(near)}?" if near else "")

    def sources(self, column: str) -> dict[str, str]:
        """All that a column derives from, and the column that each is read by; the nearest come first."""
        found: dict[str, str] = {}
        waiting = [column]
        while waiting:
            reader = waiting.pop(0)
            for source in sorted(self.direct.get(reader, ())):
                if source not in found and source != column:
                    found[source] = reader
                    waiting.append(source)
        return found

    def roots(self, column: str) -> list[str]:
        """Of these the columns that no SQL makes: of feeds, of seeds, and of what Python writes to the lake.

        What SQL makes of nothing (`direct`) is on the way, but no root.
        """
        return sorted(source for source in self.sources(column) if source not in self.direct)

    def feeds(self, column: str) -> list[str]:
        """The feeds from whose columns the column derives.

        Raises
        ------
        Stop
            If it derives from none: it is a score, or of what steps of runs write.
        """
        feeds = sorted({root.partition(".")[0] for root in self.roots(column)} & load_feeds().keys())
        if not feeds:
            raise Stop(f"{column} derives from no column of a feed", f"see `c360 lineage {column}`")
        return feeds

    def columns_from(self, root: str) -> list[str]:
        """The published columns that derive from a column."""
        return sorted(
            column
            for column in self.direct
            if column.partition(".")[0] in SCHEMAS and column != root and root in self.sources(column)
        )


def read_lineage(settings: Settings) -> Lineage:
    """The lineage of the project as it was last built here.

    Columns are named as readers and senders know them: ``marts.customer_360.aum_amount``, ``accounts.open_date`` of a
    feed, ``staging.stg_…`` and ``build_intermediate.int_…`` between them.

    Raises
    ------
    Stop
        If nothing is built yet, or the SQL of a model cannot be followed.
    """
    manifest = read_manifest(settings)
    compiled = compiled_sql(settings, manifest)
    relations = manifest["sources"] | manifest["nodes"]
    models = {key for key, node in manifest["nodes"].items() if is_model(node) and key in compiled}
    feeds = {feed_relation(feed).full_name: feed.name for feed in load_feeds().values()}

    def known_as(name: str) -> str:
        return feeds.get(name, name.removeprefix("build_") if name.removeprefix("build_") in published else name)

    published = {
        name_of(node).removeprefix("build_")
        for node in manifest["nodes"].values()
        if is_model(node) and node["schema"].removeprefix("build_") in SCHEMAS
    }
    columns = {name_of(node): list(node["columns"]) for node in relations.values() if is_relation(node)}

    def as_such(name: str) -> Shown:
        """The columns of a relation, each as what it is itself."""
        return {column: frozenset({f"{known_as(name)}.{column}"}) for column in columns[name]}

    shown = {name: as_such(name) for name in columns}
    direct = tokens()
    for key in TopologicalSorter(ancestors(manifest["nodes"], models)).static_order():
        if key not in models:
            continue
        name = name_of(relations[key])
        for column, sources in followed(name, compiled[key], columns, shown, settings.target, Reading()).items():
            direct[f"{known_as(name)}.{column}"] = sources
        shown[name] = as_such(name)
    return Lineage(direct)


def tokens() -> dict[str, Sources]:
    """The tokens of the feeds, each with the column that it stands for."""
    return {
        f"{feed.name}.{column}_token": frozenset({f"{feed.name}.{column}"})
        for feed in load_feeds().values()
        for column in feed.tokenised
    }


def followed(
    name: str,
    sql: str,
    columns: dict[str, list[str]],
    shown: Mapping[str, Shown],
    dialect: str,
    reading: Reading,
) -> Shown:
    """What each column of a model shows; its columns are known from then on, whatever is written of them.

    Raises
    ------
    CannotFollow
        If sqlglot cannot read the SQL, or it reads a relation of which nothing is known.
    """
    try:
        found = _shown_by(sql, columns, shown, dialect, reading)
    except (SqlglotError, KeyError, IndexError) as error:
        raise CannotFollow(f"the columns of {name} cannot be followed: {type(error).__name__}") from error
    columns[name] = list(found)
    return found


def ancestors(nodes: dict, keys: Iterable[str]) -> dict[str, list[str]]:
    """What the nodes read, and what that reads, and so on."""
    found: dict[str, list[str]] = {}
    waiting = list(keys)
    while waiting:
        key = waiting.pop()
        if key not in found:
            found[key] = nodes.get(key, {}).get("depends_on", {}).get("nodes", [])
            waiting += found[key]
    return found


def is_relation(node: dict) -> bool:
    """Whether a node of dbt's manifest has columns."""
    return node["resource_type"] in ("model", "seed", "source")


def is_model(node: dict) -> bool:
    """Whether SQL of the project makes it."""
    return node["resource_type"] == "model"


def name_of(node: dict) -> str:
    """``schema.relation``, as SQL names it."""
    return f"{node['schema']}.{node.get('alias') or node['identifier']}"


def _shown_by(
    sql: str, columns: Mapping[str, list[str]], shown: Mapping[str, Shown], dialect: str, reading: Reading
) -> Shown:
    """What each column of a model shows."""
    query = sqlglot.parse_one(sql, dialect=dialect)
    tables = {f"{table.db}.{table.name}" for table in query.find_all(exp.Table) if table.db}
    schema: dict[str, object] = {
        folder: {
            name.partition(".")[2]: dict.fromkeys(columns[name], "text")
            for name in tables & columns.keys()
            if name.startswith(f"{folder}.")
        }
        for folder in {name.partition(".")[0] for name in tables & columns.keys()}
    }
    for table in query.find_all(exp.Table):
        table.set("catalog", None)  # the database's own name, which dbt writes before every relation
    qualified = qualify(
        query,
        schema=schema,
        dialect=dialect,
        allow_partial_qualification=True,
        validate_qualify_columns=False,
        identify=False,
    )
    root = build_scope(qualified)
    if root is None:
        raise SqlglotError("no query")
    found: dict[int, Shown] = {}
    for _ in range(2):  # a recursive query reads itself: what it shows is known the second time
        for scope in root.traverse():
            found[id(scope)] = _of_scope(scope, found, shown, reading)
    return found[id(root)]


def _of_scope(scope: Scope, found: Mapping[int, Shown], shown: Mapping[str, Shown], reading: Reading) -> Shown:
    if scope.set_operation_scopes:  # the columns of all parts, by place
        first, *others = (found.get(id(part), {}) for part in scope.set_operation_scopes)
        merged = dict(first)
        for other in others:
            for name, sources in zip(merged, other.values(), strict=False):
                merged[name] |= sources
        return merged
    select = scope.expression
    if isinstance(select, exp.UDTF):  # a function that gives rows: each column may show whatever it reads
        read = (_sources(part, scope, found, shown, reading) for part in select.iter_expressions())
        return dict.fromkeys(select.alias_column_names, frozenset().union(*read))
    if not isinstance(select, exp.Select):
        raise SqlglotError(f"a query of an unknown kind: {select.key}")
    if any(item.is_star for item in select.selects):
        raise SqlglotError("all columns of a relation of which they are not known")
    return {item.alias_or_name: _sources(item, scope, found, shown, reading) for item in select.selects}


def _sources(
    node: exp.Expr, scope: Scope, found: Mapping[int, Shown], shown: Mapping[str, Shown], reading: Reading
) -> Sources:
    """The columns whose values an expression may show."""
    if _operation(node) in reading.left_out or (isinstance(node, _ANSWERS) and not reading.has_answers):
        return frozenset()
    if isinstance(node, exp.Column):
        source = scope.sources.get(node.table)
        if isinstance(source, Scope):
            return found.get(id(source), {}).get(node.name, frozenset())
        if isinstance(source, exp.Table):
            return shown.get(f"{source.db}.{source.name}", {}).get(node.name, frozenset())
        return _anywhere(node.name, scope, found, shown)
    if isinstance(node, (exp.Subquery, exp.Select, exp.SetOperation)):
        inner = next((part for part in scope.subquery_scopes if part.expression is node.unnest()), None)
        return frozenset().union(*found.get(id(inner), {}).values())
    if isinstance(node, (exp.Case, exp.If)):  # conditions choose; if between constants, they are what it shows
        ifs, otherwise = (node.args["ifs"], "default") if isinstance(node, exp.Case) else ([node], "false")
        branches = [*(branch.args.get("true") for branch in ifs), node.args.get(otherwise)]
        chosen = frozenset().union(*(_sources(part, scope, found, shown, reading) for part in branches if part))
        if chosen or not reading.has_answers:
            return chosen
        parts: Iterable[exp.Expr | None] = {node.this, *(branch.this for branch in ifs)}
    elif isinstance(node, (exp.Filter, exp.Window)) or (isinstance(node, exp.Order) and node.this):
        parts = [node.this]  # a condition, a partition and an order choose rows
    else:
        parts = node.iter_expressions()
    return frozenset().union(*(_sources(part, scope, found, shown, reading) for part in parts if part is not None))


def _anywhere(name: str, scope: Scope, found: Mapping[int, Shown], shown: Mapping[str, Shown]) -> Sources:
    """A column of which the query does not say the table: what any of its tables shows under the name."""
    sources: set[str] = set()
    for source in scope.sources.values():
        if isinstance(source, Scope):
            sources |= found.get(id(source), {}).get(name, frozenset())
        elif isinstance(source, exp.Table):
            sources |= shown.get(f"{source.db}.{source.name}", {}).get(name, frozenset())
    return frozenset(sources)


def _operation(node: exp.Expr) -> str:
    if isinstance(node, (exp.Anonymous, exp.Extract)):
        return node.name.lower()
    return node.key
