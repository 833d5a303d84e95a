"""From which columns every column derives: read from the SQL that dbt compiled, column by column, by sqlglot.

What a condition, a join or an order reads is not what a column shows; a value is followed through every function, but
those that a `Reading` leaves out.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from graphlib import TopologicalSorter
from importlib.metadata import version
from pathlib import Path
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope

from lakehouse.catalog import feed_relation
from lakehouse.contracts import load_feeds
from lakehouse.errors import Stop
from lakehouse.lake import write_json
from lakehouse.settings import Settings
from lakehouse.warehouse.dbt import (
    ManifestFile,
    compile_models,
    compiled_sql,
    parse,
    parsed_version,
    read_manifest,
    target_path,
)
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


@dataclass(frozen=True)
class Relations:
    """What dbt knows before any SQL is read.

    Attributes
    ----------
    columns : mapping
        ``schema.relation`` -> its columns, as far as the project describes them.
    names : mapping
        ``schema.relation`` -> how readers and senders know it: ``marts.…``, or the feed's name.
    """

    columns: dict[str, list[str]]
    names: Mapping[str, str]

    @classmethod
    def of(cls, manifest: ManifestFile) -> "Relations":
        """The relations of a manifest: seeds, sources and models."""
        nodes = [node for node in (manifest["sources"] | manifest["nodes"]).values() if is_relation(node)]
        feeds = {feed_relation(feed).full_name: feed.name for feed in load_feeds().values()}
        published = {
            name_of(node): name_of(node).removeprefix("build_")
            for node in nodes
            if is_model(node) and node["schema"].removeprefix("build_") in SCHEMAS
        }
        columns = {name_of(node): list(node["columns"]) for node in nodes}
        return cls(columns, {name: name for name in columns} | published | feeds)

    def as_such(self, name: str) -> Shown:
        """The columns of a relation, each as what it is itself."""
        return {column: frozenset({f"{self.names[name]}.{column}"}) for column in self.columns[name]}


def read_lineage(settings: Settings) -> Lineage:
    """The lineage of the project as it was last built here.

    Columns are named as readers and senders know them: ``marts.customer_360.aum_amount``, ``accounts.open_date`` of a
    feed, ``staging.stg_…`` and ``build_intermediate.int_…`` between them.

    Raises
    ------
    Stop
        If nothing is built yet, or the SQL of a model cannot be followed.
    """
    path = _kept_at(settings)
    if not path.exists():
        return _followed_through(settings)
    return Lineage({column: frozenset(sources) for column, sources in json.loads(path.read_text()).items()})


def keep_lineage(settings: Settings, variables: Mapping[str, Any]) -> str:
    """See that `read_lineage` finds the lineage of every model, the unbuilt ones too; returns the version of it.

    It is one of the code: it is read once, and stands as long as project, contracts and this module stay as they are.

    Parameters
    ----------
    variables : mapping
        dbt's.

    Raises
    ------
    Stop
        If the SQL of a model cannot be followed; the message names it.
    """
    parse(settings, variables)
    path = _kept_at(settings)
    if not path.exists():
        compile_models(settings, variables)
        direct = _followed_through(settings).direct
        for outdated in path.parent.glob("columns-*.json"):
            outdated.unlink()
        write_json(path, {column: sorted(sources) for column, sources in direct.items()})
    return path.stem.removeprefix("columns-")


def _kept_at(settings: Settings) -> Path:
    """Where the lineage of the project as it was last parsed is kept: beside what dbt made of it."""
    made_of = [parsed_version(settings), str(sorted(tokens().items())), Path(__file__).read_text(), version("sqlglot")]
    digest = hashlib.sha256(json.dumps([*made_of, settings.target]).encode()).hexdigest()
    return target_path(settings) / f"columns-{digest[:16]}.json"


def _followed_through(settings: Settings) -> Lineage:
    """Read the SQL of every model that dbt has compiled here."""
    manifest = read_manifest(settings)
    compiled = compiled_sql(settings, manifest)
    models = {key: node for key, node in manifest["nodes"].items() if is_model(node) and key in compiled}
    relations = Relations.of(manifest)
    shown = {name: relations.as_such(name) for name in relations.columns}
    direct = tokens()
    for key in TopologicalSorter(ancestors(manifest["nodes"], models)).static_order():
        if key not in models:
            continue
        name = name_of(models[key])
        sql = compiled[key]
        for column, sources in followed(name, sql, relations.columns, shown, settings.target, Reading()).items():
            direct[f"{relations.names[name]}.{column}"] = sources
        shown[name] = relations.as_such(name)
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


def tables_of(sql: str, dialect: str) -> set[str]:
    """The relations that a query reads, as ``schema.relation``."""
    return {f"{table.db}.{table.name}" for table in sqlglot.parse_one(sql, dialect=dialect).find_all(exp.Table)}


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
