"""From which columns of the feeds every published column derives: none from a personal one, but by what is allowed.

The lineage is read from the SQL that dbt compiled, column by column, by sqlglot. What a condition, a join or an order
reads is not what a column shows; a value that is shown is followed through every function but those of `lineage.yml`.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import sqlglot
import yaml
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope

from lakehouse.catalog import REJECTS, feed_relation
from lakehouse.contracts import load_feeds
from lakehouse.lake import write_json
from lakehouse.settings import Settings
from lakehouse.warehouse.dbt import compiled_sql, project_version, target_path
from lakehouse.warehouse.publication import CannotPublish

RULES = Path(__file__).with_suffix(".yml")
_ANSWERS = (exp.Predicate, exp.Not, exp.Connector)  # yes or no
_REMEDY = "publish a token, a count or a year, or have the column reviewed and named in lakehouse/warehouse/lineage.yml"

Sources = frozenset[str]  # personal columns of feeds, `feed.column`
Shown = dict[str, Sources]  # of a relation or a query: column -> what it shows


@dataclass(frozen=True)
class Rules:
    """What may be made of personal columns."""

    allowed: Mapping[str, str]  # operation -> why
    exceptions: Mapping[str, str]  # published column -> why


@cache
def load_rules(path: Path = RULES) -> Rules:
    """The reviewed list."""
    return Rules(**yaml.safe_load(path.read_text()))


def check_lineage(settings: Settings, schemas: Sequence[str]) -> None:
    """Refuse to publish while a column of the schemas derives from a personal one, other than as the rules allow.

    What was found is kept beside dbt's results for as long as project, contracts and rules stay as they are.

    Raises
    ------
    CannotPublish
        The message names the column, and the personal column of a feed that it derives from.
    """
    personal = personal_columns()
    known = json.dumps([project_version(), str(sorted(personal.items())), RULES.read_text(), *schemas, settings.target])
    path = target_path(settings) / f"lineage-{hashlib.sha256(known.encode()).hexdigest()[:16]}.json"
    if path.exists():
        shown = json.loads(path.read_text())
    else:
        manifest = json.loads((target_path(settings) / "manifest.json").read_text())
        found = published_sources(manifest, compiled_sql(settings), schemas, settings.target)
        shown = {column: sorted(sources) for column, sources in found.items()}
        write_json(path, shown)
    if forbidden := sorted(shown.keys() - load_rules().exceptions.keys()):
        first = forbidden[0]
        more = f" (and {len(forbidden) - 1} more columns)" if len(forbidden) > 1 else ""
        raise CannotPublish(f"{first} derives from {', '.join(shown[first])}, which is personal data{more}", _REMEDY)


def personal_columns() -> dict[str, Shown]:
    """The personal columns of every relation that the engine attaches, by relation and column."""
    relations = {
        feed_relation(feed).full_name: {
            column.name: frozenset({f"{feed.name}.{column.name}"}) for column in feed.columns if column.is_pii
        }
        for feed in load_feeds().values()
    }
    return relations | {REJECTS.full_name: {"raw_text": frozenset({"refused rows"})}}


def published_sources(
    manifest: dict, compiled: Mapping[str, str], schemas: Sequence[str], dialect: str
) -> dict[str, Sources]:
    """The published columns that show personal data, with its sources: ``marts.people.contact`` -> ``customers.phone``.

    Parameters
    ----------
    manifest : dict
        dbt's.
    compiled : mapping
        The SQL of each model, by its unique id.
    schemas : sequence of str
        The published schemas that are asked for.
    dialect : str
        Of the SQL: "duckdb" or "postgres".

    Raises
    ------
    CannotPublish
        If the SQL of a model that reads personal data cannot be followed.
    """
    relations = manifest["sources"] | manifest["nodes"]
    columns = {_name(node): list(node["columns"]) for node in relations.values() if _is_relation(node)}
    built = {f"build_{schema}" for schema in schemas}
    asked = {key for key, node in manifest["nodes"].items() if _is_model(node) and node["schema"] in built}
    shown = personal_columns()
    for key in TopologicalSorter(_ancestors(manifest["nodes"], asked)).static_order():
        sql, name = compiled.get(key), _name(relations[key])
        if not _is_model(relations[key]) or (sql and not _reads_any(sql, shown)):
            continue
        try:
            shown[name] = _shown(compiled[key], columns, shown, dialect)
        except (SqlglotError, KeyError, IndexError) as error:
            raise CannotPublish(f"the columns of {name} cannot be followed: {type(error).__name__}") from error
        columns[name] = list(shown[name])  # what it has, whatever is written of it
    return {
        f"{name.removeprefix('build_')}.{column}": sources
        for name in sorted(_name(relations[key]) for key in asked)
        for column, sources in shown.get(name, {}).items()
        if sources
    }


def _ancestors(nodes: dict, keys: Iterable[str]) -> dict[str, list[str]]:
    """What the nodes read, and what that reads, and so on."""
    found: dict[str, list[str]] = {}
    waiting = list(keys)
    while waiting:
        key = waiting.pop()
        if key not in found:
            found[key] = nodes.get(key, {}).get("depends_on", {}).get("nodes", [])
            waiting += found[key]
    return found


def _is_relation(node: dict) -> bool:
    return node["resource_type"] in ("model", "seed", "source")


def _is_model(node: dict) -> bool:
    return node["resource_type"] == "model"


def _name(node: dict) -> str:
    return f"{node['schema']}.{node.get('alias') or node['identifier']}"


def _reads_any(sql: str, shown: Mapping[str, Shown]) -> bool:
    """Whether the SQL names a relation that shows personal data: the rest need not be read."""
    return any(name.partition(".")[2] in sql for name, columns in shown.items() if any(columns.values()))


def _shown(sql: str, columns: Mapping[str, list[str]], shown: Mapping[str, Shown], dialect: str) -> Shown:
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
            found[id(scope)] = _of_scope(scope, found, shown)
    return found[id(root)]


def _of_scope(scope: Scope, found: Mapping[int, Shown], shown: Mapping[str, Shown]) -> Shown:
    if scope.set_operation_scopes:  # the columns of all parts, by place
        first, *others = (found.get(id(part), {}) for part in scope.set_operation_scopes)
        merged = dict(first)
        for other in others:
            for name, sources in zip(merged, other.values(), strict=False):
                merged[name] |= sources
        return merged
    select = scope.expression
    if isinstance(select, exp.UDTF):  # a function that gives rows: each column may show whatever it reads
        read = (_sources(part, scope, found, shown) for part in select.iter_expressions())
        return dict.fromkeys(select.alias_column_names, frozenset().union(*read))
    if not isinstance(select, exp.Select):
        raise SqlglotError(f"a query of an unknown kind: {select.key}")
    if any(item.is_star for item in select.selects):
        raise SqlglotError("all columns of a relation of which they are not known")
    return {item.alias_or_name: _sources(item, scope, found, shown) for item in select.selects}


def _sources(node: exp.Expr, scope: Scope, found: Mapping[int, Shown], shown: Mapping[str, Shown]) -> Sources:
    """The personal columns whose values an expression may show."""
    if isinstance(node, _ANSWERS) or _is_allowed(node):
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
    if isinstance(node, exp.Case):  # its conditions are answers
        parts: Iterable[exp.Expr | None] = [
            *(branch.args.get("true") for branch in node.args["ifs"]),
            node.args.get("default"),
        ]
    elif isinstance(node, (exp.Filter, exp.Window)):  # a condition, a partition and an order choose rows
        parts = [node.this]
    else:
        parts = node.iter_expressions()
    return frozenset().union(*(_sources(part, scope, found, shown) for part in parts if part is not None))


def _anywhere(name: str, scope: Scope, found: Mapping[int, Shown], shown: Mapping[str, Shown]) -> Sources:
    """A column of which the query does not say the table: what any of its tables shows under the name."""
    sources: set[str] = set()
    for source in scope.sources.values():
        if isinstance(source, Scope):
            sources |= found.get(id(source), {}).get(name, frozenset())
        elif isinstance(source, exp.Table):
            sources |= shown.get(f"{source.db}.{source.name}", {}).get(name, frozenset())
    return frozenset(sources)


def _is_allowed(node: exp.Expr) -> bool:
    kind = node.name.lower() if isinstance(node, exp.Anonymous) else node.key
    if isinstance(node, exp.Extract):
        kind = node.name.lower()
    return kind in load_rules().allowed
