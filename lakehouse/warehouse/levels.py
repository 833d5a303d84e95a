"""The security level of every published column: the highest of the columns that it derives from.

Columns of feeds have theirs in the contracts, those of steps in `lakehouse.catalog`; seeds are general. The lineage
carries them (`lakehouse.warehouse.derivation`): conditions, joins, groups and orders leave no trace, answers of
comparisons do. ``levels.yml`` has the reviewed exceptions: what may be lowered, and which important columns are
published at all, for roles that serve the person.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse.catalog import ADDED_BY_INGESTION, step_relations
from lakehouse.contracts import IMPORTANT, LEVELS, load_feeds
from lakehouse.settings import Settings
from lakehouse.warehouse.publication import SCHEMAS, CannotPublish, Columns, Model
from lakehouse.warehouse.rights import Rights
from lakehouse.yaml_files import read_yaml

if TYPE_CHECKING:  # it loads sqlglot, for which what only reads does not wait
    from lakehouse.warehouse.derivation import Lineage

RULES = Path(__file__).with_suffix(".yml")
GENERAL = LEVELS[0]
_REMEDY = (
    "publish a coarser value, or have the column reviewed and named in lakehouse/warehouse/levels.yml, under `lowered` "
    "or, for those who serve the person alone, under `shown`"
)
Row = dict[str, str | None]  # by column of `lakehouse.catalog.COLUMN_LEVELS`


@dataclass(frozen=True)
class Rule:
    """A reviewed exception for columns, which may be patterns."""

    columns: tuple[str, ...]
    reason: str
    reviewer: str
    level: str = IMPORTANT  # to which the columns are lowered

    def names(self, column: str) -> bool:
        """Whether the rule is about the column."""
        return any(fnmatchcase(column, pattern) for pattern in self.columns)


@dataclass(frozen=True)
class Rules:
    """The reviewed file."""

    schemas: Mapping[str, str]  # published schema -> highest level that it shows
    lowered: tuple[Rule, ...] = ()
    shown: tuple[Rule, ...] = ()  # above the schema's level

    def about(self, column: str) -> Rule | None:
        """The rule that lowers a column of that name, published or between."""
        return next((rule for rule in self.lowered if rule.names(column)), None)

    def may_show(self, column: str, level: str) -> bool:
        """Whether a published column may have the level; of an unknown schema nothing may."""
        highest = self.schemas.get(column.partition(".")[0])
        is_within = highest is not None and rank(level) <= rank(highest)
        return is_within or any(rule.names(column) for rule in self.shown)


@dataclass(frozen=True)
class Levels:
    """The levels of the columns of a project, by ``schema.table.column``; what is not in them counts as important."""

    of: Mapping[str, str]
    rows: tuple[Row, ...] = field(default=(), repr=False)  # of `ops.column_levels`

    def level(self, column: str) -> str:
        """The level of a published column."""
        return self.of.get(column, IMPORTANT)


def rank(level: str) -> int:
    """Place of a level, the lowest first."""
    return LEVELS.index(level)


@cache
def load_rules(path: Path = RULES) -> Rules:
    """The reviewed file as it stands."""
    raw = read_yaml(path)
    lowered, shown = (
        tuple(
            Rule(tuple(rule["columns"]), rule["reason"], rule["reviewer"], rule.get("level", IMPORTANT))
            for rule in raw[part]
        )
        for part in ("lowered", "shown")
    )
    return Rules(raw["schemas"], lowered, shown)


def read_levels(settings: Settings) -> Levels:
    """The levels of the project as it was last built here.

    Raises
    ------
    lakehouse.errors.Stop
        If nothing is built yet, or the SQL of a model cannot be followed.
    """
    from lakehouse.warehouse.derivation import read_lineage

    return levels_of(read_lineage(settings), load_rules())


def levels_of(lineage: "Lineage", rules: Rules) -> Levels:
    """Carry the levels from the columns that no SQL makes to the published ones.

    A rule lowers a column where it is made, and so all that is made of it.
    """
    before, after = _carried(lineage, Rules(rules.schemas)), _carried(lineage, rules)
    published = sorted(column for column in lineage.direct if column.partition(".")[0] in SCHEMAS)
    rows = tuple(_row(lineage, rules, column, before[column], after[column]) for column in published)
    return Levels({column: after[column] for column in published}, rows)


def check_columns(levels: Levels, built: Mapping[str, Columns], models: Iterable[Model]) -> None:
    """Refuse to publish a column of a level above what its schema shows, but those that are reviewed.

    Parameters
    ----------
    built : mapping
        Published name of each model -> its columns in the build engine.

    Raises
    ------
    CannotPublish
        The message names the column and its level.
    """
    rules = load_rules()
    for model in models:
        for name, _ in built[model.full_name]:
            column = f"{model.full_name}.{name}"
            if not rules.may_show(column, levels.level(column)):
                highest = rules.schemas.get(model.schema, "nothing")
                raise CannotPublish(f"{column} is {levels.level(column)}, and {model.schema} shows {highest}", _REMEDY)


def check_roles(levels: Levels, rights: Rights) -> None:
    """Refuse a table of permissions that names a column for a role of a lower level.

    Raises
    ------
    CannotPublish
        The message names role and column.
    """
    for right in rights.roles:
        for column in right.reads:
            if column.count(".") == 2 and column in levels.of and rank(levels.of[column]) > rank(right.level):
                raise CannotPublish(
                    f"{right.role} is to read {column}, which is {levels.of[column]}; the role reads {right.level}",
                    "take the column out of c360/access/roles.yml",
                )


def _carried(lineage: "Lineage", rules: Rules) -> dict[str, str]:
    """The level of every column that SQL makes; again until nothing rises, since a model may read itself."""
    roots = _root_levels()
    ranks = dict.fromkeys(lineage.direct, 0)
    most = {column: rank(rule.level) for column in lineage.direct if (rule := rules.about(column))}
    while True:
        is_same = True
        for column, sources in lineage.direct.items():
            ranked = (ranks[source] if source in ranks else rank(_of_root(roots, source)) for source in sources)
            found = min(max(ranked, default=0), most.get(column, len(LEVELS)))
            is_same = is_same and found == ranks[column]
            ranks[column] = found
        if is_same:
            return {column: LEVELS[place] for column, place in ranks.items()}


def _root_levels() -> dict[str, str]:
    feeds = {f"{feed.name}.{column.name}": column.level for feed in load_feeds().values() for column in feed.columns}
    steps = {
        f"{relation.full_name}.{column.name}": column.level
        for relation in step_relations()
        for column in relation.columns
    }
    return feeds | steps


def _of_root(roots: Mapping[str, str], column: str) -> str:
    relation, _, name = column.rpartition(".")
    is_general = relation.startswith("build_seeds.") or name in (*ADDED_BY_INGESTION, "_delivery", "_superseded_date")
    return GENERAL if is_general else roots.get(column, IMPORTANT)


def _row(lineage: "Lineage", rules: Rules, column: str, before: str, after: str) -> Row:
    schema, table, name = column.split(".")
    lowering = _rules_on_the_way(lineage, rules, column) if before != after else iter(())
    rule = next((shown for shown in rules.shown if shown.names(column)), next(lowering, None))
    return {
        "schema_name": schema,
        "table_name": table,
        "column_name": name,
        "security_level": after,
        "level_of_sources": before,
        "reason": rule.reason if rule else None,
        "reviewer": rule.reviewer if rule else None,
    }


def _rules_on_the_way(lineage: "Lineage", rules: Rules, column: str) -> Iterator[Rule]:
    """The rules that lower the column, or what it is made of; the nearest first."""
    return (rule for source in (column, *lineage.sources(column)) if (rule := rules.about(source)))
