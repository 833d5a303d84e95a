"""Who may read what of a served store: roles, what each opens, and whose rows; a store keeps them as it can."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

from lakehouse.contracts import IMPORTANT, LEVELS

Sees = Literal["all", "branch", "own", "listed", "none"]
KEY = "customer_key"  # a table with this column has rows of customers


class Unguarded(Exception):
    """Rights that are not as they should be, and that the store's owner cannot mend."""


@dataclass(frozen=True)
class Right:
    """What one role reads. Names are ``schema``, ``schema.table`` or ``schema.table.column``."""

    role: str
    reads: tuple[str, ...]
    sees: Sees = "all"  # whose rows of tables with customers
    owner: str | None = None  # on the worklist, of a role that sees those listed
    without: tuple[str, ...] = ()  # of what it reads
    level: str = LEVELS[0]  # the highest level of the columns that it reads, whatever ``reads`` opens

    def columns(self, table: str, columns: Collection[str], levels: Mapping[str, str]) -> frozenset[str]:
        """Those of a table's columns that the role reads: none above its level.

        A schema as a whole is opened to who sees all. To others of it only tables with customers are, whose rows can be
        cut to theirs; tables without are, if they are named.

        Parameters
        ----------
        levels : mapping
            Security level by ``schema.table.column``.
        """
        schema, is_whole = table.partition(".")[0], self.sees == "all" or (KEY in columns and self.sees != "none")
        if KEY in columns and self.sees == "none":
            return frozenset()
        if {table, *([schema] if is_whole else [])} & set(self.reads):
            read = set(columns)
        else:
            read = {name for name in columns if f"{table}.{name}" in self.reads}
        if table in self.without:
            return frozenset()
        highest = LEVELS.index(self.level)
        return frozenset(
            name
            for name in read
            if f"{table}.{name}" not in self.without
            and LEVELS.index(levels.get(f"{table}.{name}", IMPORTANT)) <= highest
        )


@dataclass(frozen=True)
class Person:
    """Whose rows the bearer of a login sees, until when."""

    login: str
    role: str
    branch_code: str | None
    rm_id: str | None
    last_day: date


@dataclass(frozen=True)
class Rights:
    """The whole table."""

    roles: tuple[Right, ...]
    people: tuple[Person, ...] = ()

    def by_role(self) -> Mapping[str, Right]:
        """Every role by its name."""
        return {right.role: right for right in self.roles}


@dataclass(frozen=True)
class Found:
    """One right as it should be, and as it is; equal where nothing is to be done."""

    role: str
    about: str  # table, schema, view, or the role itself
    verb: str
    expected: str
    found: str
    remedy: str = ""  # statement that mends it
    needs_administrator: bool = False

    @property
    def is_fine(self) -> bool:
        """Whether it is as it should be."""
        return self.expected == self.found
