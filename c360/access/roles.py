"""The table of permissions: what a role may do, and which customers it sees."""

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import NotRequired, TypedDict

from lakehouse.contracts import LEVELS
from lakehouse.warehouse.seeds import load_seeds
from lakehouse.yaml_files import read_yaml

_TABLE = Path(__file__).with_name("roles.yml")


class Sees(StrEnum):
    """Which customers a role sees; `roles.yml` says what each means."""

    all = "all"
    branch = "branch"
    own = "own"
    listed = "listed"
    none = "none"


@dataclass(frozen=True)
class Role:
    """What people of a role may do, and whom they see."""

    name: str
    title_en: str
    title_zh: str
    sees: Sees
    may: frozenset[str]  # scopes
    level: str  # highest security level of the columns that they see
    owner: str | None = None  # of the worklist, of a role that sees those listed


class RawRole(TypedDict):
    """A role as it is written."""

    title: tuple[str, str]
    sees: str
    level: str
    may: list[str]
    owner: NotRequired[str]


class RawSystem(TypedDict):
    """A system's role on Postgres as it is written."""

    reads: list[str]
    level: str
    without: NotRequired[list[str]]


class Table(TypedDict):
    """The file as it is written; it explains its parts."""

    scopes: dict[str, str]
    roles: dict[str, RawRole]
    opens: dict[str, list[str]]
    shared: list[str]
    systems: dict[str, RawSystem]


@cache
def read_table() -> Table:
    """The file as it stands."""
    return read_yaml(_TABLE)


SCOPES: tuple[str, ...] = tuple(read_table()["scopes"])


@cache
def least_group_size() -> int:
    """Customers of whom a number is shown, at the least, to who does not see all of them (seed privacy_limits)."""
    limits = {row["threshold"]: row["threshold_value"] for row in load_seeds()["privacy_limits"].rows()}
    return int(limits["least_group_size"])


@cache
def load_roles() -> dict[str, Role]:
    """Every role, by name.

    Raises
    ------
    ValueError
        If the table names a scope that it does not explain, or no level: nobody gets what nobody has described.
    """
    roles = {}
    for name, raw in read_table()["roles"].items():
        if unknown := set(raw["may"]) - set(SCOPES):
            raise ValueError(f"{_TABLE.name}: {name} may {min(unknown)}, which is no scope")
        title_en, title_zh = raw["title"]
        level, may, owner = _level(name, raw["level"]), frozenset(raw["may"]), raw.get("owner")
        roles[name] = Role(name, title_en, title_zh, Sees(raw["sees"]), may, level, owner)
    return roles


def _level(name: str, level: str) -> str:
    if level not in LEVELS:
        raise ValueError(f"{_TABLE.name}: {name} sees {level}, which is none of {', '.join(LEVELS)}")
    return level
