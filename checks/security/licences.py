"""The licences of the locked libraries, held against the list of what is allowed."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import TypedDict

from lakehouse.yaml_files import read_yaml

LIST = Path(__file__).with_suffix(".yml")
LOCKED = re.compile(r"^([a-z0-9_.-]+)==([^ \\]+)", re.MULTILINE)


class Policy(TypedDict):
    """The file as it is written; it explains its parts."""

    allowed: list[str]
    forbidden: list[str]
    reviewed: dict[str, str]


@dataclass(frozen=True)
class Library:
    """A locked library, what it says of its licence, and whether that may be."""

    name: str
    licence: str
    verdict: str  # allowed, reviewed, forbidden or unknown

    @property
    def is_fine(self) -> bool:
        return self.verdict in ("allowed", "reviewed")


def read_policy() -> Policy:
    """The list as it stands."""
    return read_yaml(LIST)


def locked(locks: Iterable[Path]) -> list[str]:
    """The names in the locks, each once."""
    return sorted(versions(locks))


def versions(locks: Iterable[Path]) -> dict[str, str]:
    """The names in the locks, and the version of each."""
    return {name: version for lock in locks for name, version in LOCKED.findall(lock.read_text())}


def licence_of(name: str) -> str:
    """What an installed library says of its licence; empty if it says nothing, or is for another system."""
    try:
        about = metadata(name)
    except PackageNotFoundError:
        return ""
    classified = [
        text.rpartition(" :: ")[2] for text in about.get_all("Classifier") or [] if text.startswith("License :: ")
    ]
    first_line = (about["License"] or "").strip().partition("\n")[0] if "License" in about else ""
    return about["License-Expression"] if "License-Expression" in about else "; ".join(classified) or first_line


def judge(licences: Mapping[str, str], policy: Policy) -> list[Library]:
    """Every library with its verdict. What is forbidden wins over what is allowed; a review over both."""
    return [Library(name, licence, _verdict(name, licence, policy)) for name, licence in sorted(licences.items())]


def _verdict(name: str, licence: str, policy: Policy) -> str:
    if name in policy["reviewed"]:
        return "reviewed"
    if _has(licence, policy["forbidden"]):
        return "forbidden"
    return "allowed" if _has(licence, policy["allowed"]) else "unknown"


def _has(licence: str, words: Iterable[str]) -> bool:
    return any(word.lower() in licence.lower() for word in words)
