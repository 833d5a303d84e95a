"""All gates on one page that needs nothing else: the entry pages of Data Docs fetch their tables' scripts online."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path

from lakehouse import pages
from lakehouse.lake import appearing

DATES = 30  # newest first; however long the history is, no more is read


@dataclass(frozen=True)
class SuiteRun:
    """What a suite found on a business date, as Great Expectations keeps it."""

    gate: str
    suite: str
    business_date: str
    page: Path  # of Data Docs, below the folder of all gates
    results: list[dict]

    @property
    def unmet(self) -> list[tuple[str, str]]:
        """Severity and subject of every expectation that was not met."""
        configs = (result["expectation_config"] for result in self.results if not result["success"])
        return [(config["severity"], _subject(config["kwargs"])) for config in configs]


def suite_runs(docs: Path, dates: int | None = None) -> Iterator[SuiteRun]:
    """The runs of every gate, the newest business date first; of so many dates, or of all."""
    files = sorted(docs.glob("*/.results/*/*/*/*.json"), key=lambda file: (file.parts[-3], file), reverse=True)
    newest = sorted({file.parts[-3] for file in files}, reverse=True)[:dates]
    for file in (file for file in files if file.parts[-3] in newest):
        gate, _, *place = file.relative_to(docs).parts
        page = Path(gate, "validations", *place).with_suffix(".html")
        yield SuiteRun(gate, place[0], place[1], page, json.loads(file.read_text())["results"])


def write_overview(docs: Path) -> Path:
    """Write ``index.html`` beside the gates' Data Docs: what each suite found on each of the newest business dates.

    Parameters
    ----------
    docs
        Folder of all gates' Data Docs.
    """
    head = "".join(f"<th>{name}</th>" for name in ("business date", "gate", "suite", "checks", "not met"))
    lines = "".join(map(_line, suite_runs(docs, DATES)))
    told = "<p>A line leads to its page in Data Docs, with every expectation and why it is made.</p>"
    with appearing(docs / "index.html") as temporary:
        temporary.write_text(pages.page("Gates", f"{told}<table><tr>{head}</tr>{lines}</table>"), encoding="utf-8")
    return docs / "index.html"


def _line(run: SuiteRun) -> str:
    link = f'<a href="{escape(str(run.page))}">{escape(run.suite)}</a>'
    unmet = ", ".join(sorted(f"{severity}: {subject}" for severity, subject in run.unmet)) or "none"
    cells = (run.business_date, escape(run.gate), link, len(run.results), escape(unmet))
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _subject(about: dict) -> str:
    return about.get("column") or f"{about['column_A']} = {about['column_B']}"
