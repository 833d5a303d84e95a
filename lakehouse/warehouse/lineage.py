"""From which columns of the feeds every published column derives: none from a personal one, but by what is allowed.

A value that is shown is followed (`lakehouse.warehouse.derivation`) through every function but those of `lineage.yml`;
the answer of a comparison is not the value.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

from lakehouse.catalog import REJECTS, feed_relation
from lakehouse.contracts import load_feeds
from lakehouse.lake import write_json
from lakehouse.settings import Settings
from lakehouse.warehouse import derivation
from lakehouse.warehouse.dbt import ManifestFile, compiled_sql, project_version, read_manifest, target_path
from lakehouse.warehouse.derivation import CannotFollow, Reading, Shown, Sources
from lakehouse.warehouse.publication import CannotPublish
from lakehouse.yaml_files import read_yaml

RULES = Path(__file__).with_suffix(".yml")
_REMEDY = "publish a token, a count or a year, or have the column reviewed and named in lakehouse/warehouse/lineage.yml"


@dataclass(frozen=True)
class Rules:
    """What may be made of personal columns."""

    allowed: Mapping[str, str]  # operation -> why
    exceptions: Mapping[str, str]  # published column -> why


@cache
def load_rules(path: Path = RULES) -> Rules:
    """The reviewed list."""
    return Rules(**read_yaml(path))


def check_lineage(settings: Settings, schemas: Sequence[str]) -> None:
    """Refuse to publish while a column of the schemas derives from a personal one, other than as the rules allow.

    Raises
    ------
    CannotPublish
        The message names the column, and the personal column of a feed that it derives from.
    """
    shown = keep_personal(settings, schemas)
    if forbidden := sorted(shown.keys() - load_rules().exceptions.keys()):
        first = forbidden[0]
        more = f" (and {len(forbidden) - 1} more columns)" if len(forbidden) > 1 else ""
        raise CannotPublish(f"{first} derives from {', '.join(shown[first])}, which is personal data{more}", _REMEDY)


def keep_personal(settings: Settings, schemas: Sequence[str]) -> dict[str, list[str]]:
    """The published columns that show personal data, as `published_sources` has them of the project as it stands.

    It is kept beside dbt's results for as long as project, contracts and rules stay as they are.

    Raises
    ------
    CannotPublish
        If the SQL of a model that reads personal data cannot be followed.
    """
    personal = personal_columns()
    known = json.dumps([project_version(), str(sorted(personal.items())), RULES.read_text(), *schemas, settings.target])
    path = target_path(settings) / f"lineage-{hashlib.sha256(known.encode()).hexdigest()[:16]}.json"
    if path.exists():
        return json.loads(path.read_text())
    manifest = read_manifest(settings)
    found = published_sources(manifest, compiled_sql(settings, manifest), schemas, settings.target)
    shown = {column: sorted(sources) for column, sources in found.items()}
    write_json(path, shown)
    return shown


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
    manifest: ManifestFile, compiled: Mapping[str, str], schemas: Sequence[str], dialect: str
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
    named = derivation.name_of
    columns = {named(node): list(node["columns"]) for node in relations.values() if derivation.is_relation(node)}
    reading = Reading(load_rules().allowed, has_answers=False)
    built = {f"build_{schema}" for schema in schemas}
    asked = {key for key, node in manifest["nodes"].items() if derivation.is_model(node) and node["schema"] in built}
    shown = personal_columns()
    for key in TopologicalSorter(derivation.ancestors(manifest["nodes"], asked)).static_order():
        sql, name = compiled.get(key), named(relations[key])
        if not derivation.is_model(relations[key]) or (sql and not _reads_any(sql, shown)):
            continue
        try:
            shown[name] = derivation.followed(name, compiled.get(key, ""), columns, shown, dialect, reading)
        except CannotFollow as error:
            raise CannotPublish(str(error)) from error
    return {
        f"{name.removeprefix('build_')}.{column}": sources
        for name in sorted(named(relations[key]) for key in asked)
        for column, sources in shown.get(name, {}).items()
        if sources
    }


def _reads_any(sql: str, shown: Mapping[str, Shown]) -> bool:
    """Whether the SQL names a relation that shows personal data: the rest need not be read."""
    return any(name.partition(".")[2] in sql for name, columns in shown.items() if any(columns.values()))
