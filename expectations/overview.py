"""All gates on one page that needs nothing else: the entry pages of Data Docs fetch their tables' scripts online."""

import json
from collections.abc import Iterator
from html import escape
from pathlib import Path

from c360 import pages
from c360.lake import appearing

DATES = 30  # newest first; the page costs the same however long the history is


def write_overview(docs: Path) -> Path:
    """Write ``index.html`` beside the gates' Data Docs: what each suite found on each of the newest business dates.

    Parameters
    ----------
    docs
        Folder of all gates' Data Docs.
    """
    head = "".join(f"<th>{name}</th>" for name in ("business date", "gate", "suite", "checks", "not met"))
    table = f"<table><tr>{head}</tr>{''.join(_lines(docs))}</table>"
    told = "<p>A line leads to its page in Data Docs, with every expectation and why it is made.</p>"
    with appearing(docs / "index.html") as temporary:
        temporary.write_text(pages.page("Gates", told + table))
    return docs / "index.html"


def subject(config: dict) -> str:
    """What an expectation is about, from its configuration as Great Expectations keeps it."""
    about = config["kwargs"]
    return about.get("column") or f"{about['column_A']} = {about['column_B']}"


def _lines(docs: Path) -> Iterator[str]:
    runs = sorted(docs.glob("*/.results/*/*"), key=lambda run: (run.name, run.parts), reverse=True)
    newest = sorted({run.name for run in runs}, reverse=True)[:DATES]
    for run in (run for run in runs if run.name in newest):
        for path in sorted(run.glob("*/*.json")):
            results = json.loads(path.read_text())["results"]
            unmet = [result["expectation_config"] for result in results if not result["success"]]
            told = ", ".join(sorted(f"{config['severity']}: {subject(config)}" for config in unmet)) or "none"
            gate, _, suite, day, *place = path.relative_to(docs).parts
            page = Path(gate, "validations", suite, day, *place).with_suffix(".html")
            link = f'<a href="{escape(str(page))}">{escape(suite)}</a>'
            cells = (day, escape(gate), link, len(results), escape(told))
            yield "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
