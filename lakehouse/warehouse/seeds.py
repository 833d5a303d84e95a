"""The seeds, which hold what a bank decides: thresholds, prices, phrases. Read as files, before dbt loads them."""

import csv
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path

from lakehouse.errors import Stop
from lakehouse.settings import PROJECT
from lakehouse.yaml_files import read_yaml

FOLDER = PROJECT / "dbt_project" / "seeds"
_BOOLEANS = {"true": True, "false": False}
_READERS: dict[str, Callable[[str], object]] = {
    "integer": int,
    "bigint": int,
    "decimal": Decimal,
    "double precision": float,
    "boolean": _BOOLEANS.__getitem__,
    "date": date.fromisoformat,
    "varchar": str,
}


@dataclass(frozen=True)
class Seed:
    """A CSV file of the dbt project, and what the YAML beside it asks of it."""

    name: str
    description: str
    columns: dict[str, str]  # name -> what it means
    types: dict[str, str]  # name -> SQL type
    key: tuple[str, ...]  # of the rows that must be there; empty where none must
    filled: tuple[str, ...]  # columns without which a row is none
    needed: tuple[str, ...]  # keys, their values joined by ":"

    @property
    def path(self) -> Path:
        return FOLDER / f"{self.name}.csv"

    def rows(self) -> list[dict[str, str]]:
        """The rows of the file, as text."""
        with self.path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    @property
    def is_by_currency(self) -> bool:
        """Whether each currency has rows of its own, which a bank with another one has to add."""
        return self.key[:1] == ("currency",)

    def needed_by(self, currency: str) -> list[str]:
        """The keys of rows that a bank with this currency must have.

        With a currency that the project does not know, it needs what all the known ones have.
        """
        if not self.is_by_currency:
            return list(self.needed)
        rows: dict[str, set[str]] = {}
        for key in self.needed:
            known, _, rest = key.partition(":")
            rows.setdefault(known, set()).add(rest)
        return [f"{currency}:{rest}" for rest in sorted(rows.get(currency) or set.intersection(*rows.values()))]

    def faults(self, currency: str) -> list[str]:
        """What is wrong with the file, for a bank with this currency: its columns, values that are none, rows."""
        with self.path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            rows, names = list(reader), reader.fieldnames or []
        if missing := [name for name in self.columns if name not in names]:
            return [f"lacks the column {', '.join(missing)}"]
        faults = [
            f"line {line}: {name} is no {type_}"
            for line, row in enumerate(rows, 2)
            for name, type_ in self.types.items()
            if row.get(name) and not _is_of(type_, row[name])
        ]
        whole = (row for row in rows if all(row[name] for name in self.filled))
        counted = Counter(":".join(row[name] or "" for name in self.key) for row in whole)
        if absent := [key for key in self.needed_by(currency) if counted[key] != 1]:
            faults.append(f"needs one row, with every value, for {', '.join(absent)}")
        return faults


@cache
def load_seeds() -> dict[str, Seed]:
    """Every seed, by name."""
    described = [seed for path in sorted(FOLDER.glob("*.yml")) for seed in read_yaml(path)["seeds"]]
    return {raw["name"]: _seed(raw) for raw in sorted(described, key=lambda raw: raw["name"])}


def require_currency(currency: str) -> None:
    """Stop where a seed has no rows for the bank's currency: without thresholds, everybody would have one star.

    Raises
    ------
    Stop
        Naming the seeds and the rows.
    """
    lacking = [
        f"{seed.path.relative_to(PROJECT)} {fault}"
        for seed in load_seeds().values()
        if seed.is_by_currency
        for fault in seed.faults(currency)
    ]
    if lacking:
        raise Stop(f"the deployment's currency is {currency}; {'; '.join(lacking)}", "add the rows")


def _seed(raw: dict) -> Seed:
    tests = [test["has_rows"]["arguments"] for test in raw.get("data_tests", []) if "has_rows" in test]
    asked = tests[0] if tests else {"key": [], "values": [], "rows": []}
    return Seed(
        name=raw["name"],
        description=" ".join(raw["description"].split()),
        columns={column["name"]: " ".join(column["description"].split()) for column in raw["columns"]},
        types=raw.get("config", {}).get("column_types", {}),
        key=tuple(asked["key"]),
        filled=tuple(asked["values"]),
        needed=tuple(map(str, asked["rows"])),
    )


def _is_of(type_: str, text: str) -> bool:
    """Whether a text is a value of the SQL type."""
    try:
        _READERS[type_.partition("(")[0]](text)
    except (ValueError, KeyError, ArithmeticError):
        return False
    return True
