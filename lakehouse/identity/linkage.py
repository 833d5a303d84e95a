"""How records are compared, joined and reviewed: ``linkage.yml`` as a frozen object."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from lakehouse.yaml_files import read_yaml

LINKAGE = Path(__file__).with_name("linkage.yml")
DIFFERENT, NOT_FILLED = "different", "not filled"
SplinkSettings = dict[str, Any]  # the JSON that Splink saves and loads


class KnownBy(TypedDict):
    """Pairs that are hardly ever two persons: they agree on columns, and fulfil a condition."""

    agree: list[str]
    sql: NotRequired[str]


class Training(TypedDict):
    """What a model is learned from; ``linkage.yml`` says what each key means."""

    minimum_records: int
    minimum_filled: float
    maximum_share: float
    required: list[str | list[str]]
    known_by: list[KnownBy]
    recall: float
    blocks: list[list[str]]
    random_pairs: int
    seed: int
    least_m: float


@dataclass(frozen=True)
class Linkage:
    """The content of ``linkage.yml``; a trained model has a copy of the one that it was trained with."""

    raw: dict[str, Any]

    @classmethod
    def read(cls, path: Path | None = None) -> "Linkage":
        """The settings of a file; by default ``linkage.yml``, as it is now."""
        return cls(read_yaml(path or LINKAGE))

    @property
    def accept(self) -> float:
        """Match weight (bits) from which a pair is one customer."""
        return self.raw["weights"]["accept"]

    @property
    def review(self) -> float:
        """Match weight (bits) from which a clerk looks at a pair."""
        return self.raw["weights"]["review"]

    @property
    def training(self) -> Training:
        return self.raw["training"]

    @property
    def enterprise_id(self) -> str:
        """Regular expression of an enterprise's document number."""
        return self.raw["enterprise"]["id_no"]

    @cached_property
    def titles_before(self) -> frozenset[str]:
        """Words before a name that are no part of it."""
        return frozenset(self.raw["titles"]["before"])

    @cached_property
    def titles_after(self) -> frozenset[str]:
        """Words after a name that are no part of it."""
        return frozenset(self.raw["titles"]["after"])

    def filler(self, column: str) -> str:
        """Regular expression of what is written in a column where there is nothing to write."""
        return self.raw["fillers"][column]

    def is_enterprise_name(self, name: str) -> bool:
        return bool(self._enterprise_name.search(name))

    def level(self, column: str, gamma: int) -> str:
        """The level of a comparison, in words; ``gamma`` as Splink numbers the levels, -1 for not filled."""
        names = [DIFFERENT, *(item["is"] for item in reversed(self.raw["comparisons"][column]))]
        return NOT_FILLED if gamma < 0 else names[gamma]

    def gamma(self, column: str, level: str) -> int:
        """The number that Splink gives a level: -1 "not filled", 0 "different", the highest one for the strongest."""
        names = [DIFFERENT, *(item["is"] for item in reversed(self.raw["comparisons"][column]))]
        return -1 if level == NOT_FILLED else names.index(level)

    def gammas(self, column: str, levels: Iterable[str]) -> str:
        """The numbers of levels, as an SQL list."""
        return ", ".join(str(self.gamma(column, level)) for level in levels)

    @property
    def alone(self) -> list[tuple[str, int]]:
        """Column and number of the levels that are accepted only where neither record matches another one."""
        return [
            (column, self.gamma(column, level["is"]))
            for column, levels in self.raw["comparisons"].items()
            for level in levels
            if level.get("alone")
        ]

    @cached_property
    def _enterprise_name(self) -> re.Pattern[str]:
        return re.compile(self.raw["enterprise"]["name"], re.IGNORECASE)
