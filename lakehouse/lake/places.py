"""Where the steps of a run put their files in the lake."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from lakehouse.lake.deliveries import Pin

FORECASTS = "forecasts/method=2"  # a new number when method or columns change: what was forecast before stays unread


@dataclass(frozen=True)
class IntradayFile:
    """A lake file ``<first>-<last>.parquet``: the events of the takes of those numbers, counted per feed."""

    path: Path
    first: int
    last: int

    @classmethod
    def of(cls, path: Path) -> "IntradayFile":
        first, last = path.stem.split("-")
        return cls(path, int(first), int(last))

    def covers(self, other: "IntradayFile") -> bool:
        """Whether this file is a merge that holds the other's takes."""
        return self != other and self.first <= other.first and other.last <= self.last


def pinned_path(lake: Path, kind: str, pin: Pin) -> Path:
    """The file of a kind, for instance ``network``, that was made from what was known by the pin's business date."""
    return lake / kind / f"{pin.business_date}-{pin.hash}.parquet"


def known_path(lake: Path, kind: str, pin: Pin) -> Path:
    """Says which forecasts or segments go with what was known by the pin's date, or why there are none."""
    return pinned_path(lake, f"{kind}/known", pin).with_suffix(".json")


def lineage_folder(lake: Path, version: str) -> Path:
    """Where published columns come from, and what checks the critical ones, by one version of the project."""
    return lake / "lineage" / f"version={version}"


def intraday_files(lake: Path, feed: str, first: date, last: date = date.max) -> list[IntradayFile]:
    """The lake files of a feed that hold events of ``first`` to ``last``, merged ones in place of those they cover.

    A file lies under the last business date of its events.
    """
    files: list[IntradayFile] = []
    for folder in sorted((lake / "intraday" / feed).glob("business_date=*")):
        if first <= date.fromisoformat(folder.name.removeprefix("business_date=")) <= last:
            files += current_files([IntradayFile.of(path) for path in folder.glob("[!.]*.parquet")])
    return files


def current_files(files: list[IntradayFile]) -> list[IntradayFile]:
    """The files that no merged one covers, in the order of their takes."""
    current: list[IntradayFile] = []
    for file in sorted(files, key=lambda file: (file.first, -file.last)):
        if not (current and current[-1].covers(file)):
            current.append(file)
    return current


def xref_file(lake: Path, pin: Pin) -> Path:
    """The cross-reference as known by the pin's business date."""
    return pinned_path(lake, "identity", pin)


def review_file(xref: Path) -> Path:
    """The list of pairs for a clerk that belongs to an identity file."""
    return xref.parent / "review" / xref.name


def unbelieved_file(xref: Path) -> Path:
    """The document numbers that are no evidence, which belong to an identity file."""
    return xref.parent / "unbelieved" / xref.name


def components_file(xref: Path) -> Path:
    """The seals of the components that belong to an identity file."""
    return xref.parent / "components" / xref.name
