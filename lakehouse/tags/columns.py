"""The columns by which people may choose customers: of a short list of published tables, without what is refused.

The list and what is refused are variables of the dbt project, `tag_tables` and `tag_refused`; types are those of its
contracts, which every published table keeps.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any, Literal

from lakehouse.contracts import load_feeds
from lakehouse.errors import Stop
from lakehouse.settings import PROJECT
from lakehouse.tags.misfit import Misfit
from lakehouse.yaml_files import read_yaml

Kind = Literal["number", "text", "date", "boolean"]
KEY = "customer_key"
FIRST = "customer_360"  # the table of columns that are named without one
_KINDS: dict[str, Kind] = {
    **dict.fromkeys(("integer", "bigint", "double", "decimal"), "number"),
    "varchar": "text",
    "date": "date",
    "boolean": "boolean",
}
_DBT = PROJECT / "dbt_project"


@dataclass(frozen=True)
class Offered:
    """A column by which people may choose."""

    table: str  # without its schema
    name: str
    kind: Kind
    description: str


@cache
def offered() -> Mapping[tuple[str, str], Offered]:
    """(table, column) -> column, of all that are offered, in the order of the list."""
    refused = _refused()
    found = {}
    for name in _project()["tag_tables"]:
        schema, table = name.split(".")
        for column in _model(schema, table)["columns"]:
            kind = _KINDS.get(column["data_type"].partition("(")[0].split()[0])
            if kind and column["name"] != KEY and column["name"] not in refused:
                found[table, column["name"]] = Offered(table, column["name"], kind, column["description"])
    return found


def tables() -> Mapping[str, str]:
    """Table -> its published name, schema and all."""
    return {name.split(".")[1]: name for name in _project()["tag_tables"]}


def find(table: str, column: str) -> Offered:
    """The column.

    Raises
    ------
    Misfit
        If it is refused, or there is none; the remedy names what there is.
    """
    if table not in tables():
        others = f"use one of {', '.join(tables())}"
        raise Misfit(f"{table}.{column}: nobody is chosen by columns of {table}", others, "column", "unknown", column)
    if why := _refused().get(column):
        others = "choose by another column, or leave it out"
        raise Misfit(f"{table}.{column} is {why}: nobody is chosen by it", others, "column", "refused", column)
    if (table, column) not in offered():
        names = [name for of, name in offered() if of == table]
        near = get_close_matches(column, names, 3, 0.5) or names
        others = f"use one of {', '.join(near)} (c360 tags columns)"
        raise Misfit(f"{tables()[table]} has no column {column}", others, "column", "unknown", column)
    return offered()[table, column]


@cache
def _refused() -> Mapping[str, str]:
    """Column -> what it is, of those by which nobody is chosen."""
    personal = {column.name for feed in load_feeds().values() for column in feed.columns if column.is_pii}
    return dict.fromkeys(personal, "personal data") | dict.fromkeys(
        _project()["tag_refused"], "what models are compared by, not what customers are treated by"
    )


@cache
def _project() -> Mapping[str, Any]:
    return read_yaml(_DBT / "dbt_project.yml")["vars"]


def _model(schema: str, table: str) -> Mapping[str, Any]:
    """A model of that schema as its YAML has it."""
    for path in sorted((_DBT / "models" / schema).rglob("*__models.yml")):
        if f"name: {table}\n" in path.read_text():
            models = read_yaml(path)["models"]
            return next(model for model in models if model["name"] == table)
    raise Stop(f"there is no model {schema}.{table}", "correct tag_tables in dbt_project/dbt_project.yml")
