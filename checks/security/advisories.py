"""Known faults of locked libraries, by a copy of a list of advisories on this machine: no name leaves it.

The list is a folder of OSV files (https://ossf.github.io/osv-schema): a copy of github.com/pypa/advisory-database, or a
dump of osv.dev.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import NotRequired, TypedDict, cast

import yaml
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

OF_PYTHON = "PyPI"
STALE_DAYS = 30  # a list whose newest advisory is older does not have the faults that were found after it
SUFFIXES = (".yaml", ".yml", ".json")
Event = Mapping[str, str]  # introduced, fixed or last_affected -> version


class Range(TypedDict):
    """Versions from one event to the next."""

    type: str
    events: list[Event]


class Package(TypedDict):
    """Whose versions they are."""

    name: str
    ecosystem: str


class Affected(TypedDict):
    """The versions of one library."""

    package: Package
    ranges: NotRequired[list[Range]]
    versions: NotRequired[list[str]]


class Advisory(TypedDict):
    """One file, as far as it is read; times are text."""

    id: str
    modified: str
    withdrawn: NotRequired[str]
    affected: NotRequired[list[Affected]]


@dataclass(frozen=True)
class Matches:
    """How many advisories there are, of which day the newest is, and which libraries they name."""

    count: int
    newest: date | None
    faults: tuple[str, ...]

    def is_stale(self, today: date) -> bool:
        return self.newest is None or (today - self.newest).days > STALE_DAYS


def match_advisories(libraries: Mapping[str, str], folder: Path) -> Matches:
    """Hold libraries, name -> version, against every advisory below a folder that was not withdrawn."""
    locked = {canonicalize_name(name): Version(version) for name, version in libraries.items()}
    count, newest, faults = 0, None, set()
    for advisory in _read(folder):
        count += 1
        day = date.fromisoformat(str(advisory["modified"])[:10])
        newest = max(newest or day, day)
        for affected in () if advisory.get("withdrawn") else advisory.get("affected", ()):
            name = canonicalize_name(affected["package"]["name"])
            if affected["package"]["ecosystem"] == OF_PYTHON and name in locked and is_affected(locked[name], affected):
                faults.add(f"{name} {locked[name]}: {advisory['id']}")
    return Matches(count, newest, tuple(sorted(faults)))


def is_affected(version: Version, affected: Affected) -> bool:
    """Whether a version is named, or lies between its introduction and the next fix.

    >>> after_one = {"type": "ECOSYSTEM", "events": [{"introduced": "1.0"}, {"fixed": "1.5"}]}
    >>> of_it = Affected(package=Package(name="a", ecosystem="PyPI"), ranges=[after_one], versions=["0.3"])
    >>> [is_affected(Version(text), of_it) for text in ("0.3.0", "0.9", "1.0", "1.5")]
    [True, False, True, False]
    """
    named = any(_parsed(text) == version for text in affected.get("versions", ()))
    spans = (one["events"] for one in affected.get("ranges", ()) if one["type"] == "ECOSYSTEM")
    return named or any(_is_between(version, events) for events in spans)


def _is_between(version: Version, events: list[Event]) -> bool:
    is_in = False
    for what, text in sorted((pair for event in events for pair in event.items()), key=lambda pair: _parsed(pair[1])):
        at = _parsed(text)
        if what == "introduced" and at <= version:
            is_in = True
        elif (what == "fixed" and at <= version) or (what == "last_affected" and at < version):
            is_in = False
    return is_in


def _parsed(text: str) -> Version:
    """The version; what is none lies before all others."""
    try:
        return Version(str(text))
    except InvalidVersion:
        return Version("0.dev0")


def _read(folder: Path) -> Iterator[Advisory]:
    for path in sorted(folder.rglob("*")):
        if path.suffix in SUFFIXES and path.is_file():
            advisory = yaml.load(path.read_text("utf-8"), yaml.CSafeLoader)  # JSON is YAML, too
            if isinstance(advisory, dict) and "id" in advisory and "modified" in advisory:
                yield cast("Advisory", advisory)
