"""All gates on one page that needs no other file; the entry pages of Data Docs fetch scripts from the internet."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lakehouse import pages
from lakehouse.lake import appearing

TEMPLATES = Path(__file__).with_name("templates")
DATES = 30  # newest first; however long the history is, no more is read


@dataclass(frozen=True)
class SuiteRun:
    """The result of a suite on a business date, as Great Expectations keeps it."""

    gate: str
    suite: str
    business_date: str
    page: Path  # of Data Docs, below the folder of all gates
    results: list[dict]

    @property
    def unmet(self) -> list[tuple[str, str]]:
        """Severity and subject of every expectation that was not met."""
        configs = (result["expectation_config"] for result in self.results if not result["success"])
        return [(config["severity"], subject(config["kwargs"])) for config in configs]


def suite_runs(docs: Path, dates: int | None = None) -> Iterator[SuiteRun]:
    """The runs of every gate, the newest business date first, of the newest ``dates`` dates or of all."""
    files = sorted(docs.glob("*/.results/*/*/*/*.json"), key=lambda file: (file.parts[-3], file), reverse=True)
    newest = sorted({file.parts[-3] for file in files}, reverse=True)[:dates]
    for file in (file for file in files if file.parts[-3] in newest):
        gate, _, *place = file.relative_to(docs).parts
        page = Path(gate, "validations", *place).with_suffix(".html")
        yield SuiteRun(gate, place[0], place[1], page, json.loads(file.read_text())["results"])


def write_overview(docs: Path) -> Path:
    """Write ``index.html`` beside the gates' Data Docs: the result of each suite on each of the newest business dates.

    Parameters
    ----------
    docs
        Folder of all gates' Data Docs.
    """
    template = pages.environment(TEMPLATES).get_template("overview.html.j2")
    with appearing(docs / "index.html") as temporary:
        temporary.write_text(template.render(runs=suite_runs(docs, DATES)), encoding="utf-8")
    return docs / "index.html"


def columns_of(kwargs: Mapping[str, Any]) -> list[str]:
    """The columns that an expectation is about, from its arguments."""
    return [kwargs[name] for name in ("column", "column_A", "column_B") if name in kwargs]


def subject(kwargs: Mapping[str, Any]) -> str:
    """What an expectation is about, in words.

    >>> subject({"column_A": "rows_loaded", "column_B": "rows_accounted"})
    'rows_loaded and rows_accounted'
    """
    return " and ".join(columns_of(kwargs)) or "table"
