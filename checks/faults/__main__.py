"""Plants every fault and prints the table; exit code 1 if a row fails or is not measured: ``python -m checks.faults``.

``--only NAME,NAME`` measures some rows.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from rich.console import Console
from rich.table import Table

from checks.faults.rows import ROWS, Row
from lakehouse.settings import PROJECT

FAILURES = ("failure", "error")
_MARK = re.compile(r'mark\.faults\(\s*"(\w+)"')
HEADS = (
    "fault",
    "store",
    "injected",
    "readers saw",
    "content",
    "account days: opening + postings = closing",
    "rows: loaded + quarantined",
    "s",
    "",
)


@dataclass(frozen=True)
class Measured:
    """What one test said; nothing but its name and seconds if it did not come to its end."""

    test: str
    seconds: float
    has_passed: bool
    row: str
    store: str
    injections: int = 0
    readers: tuple[str, ...] = ()
    content: str = ""
    account_days: int = 0
    rows: int = 0


def marks() -> dict[str, set[str]]:
    """Files of tests, and the rows that their marks name."""
    found = {str(path): set(_MARK.findall(path.read_text())) for path in (PROJECT / "tests").rglob("test_*.py")}
    return {file: names for file, names in found.items() if names}


def read_report(path: Path) -> list[Measured]:
    """Every test of a report that belongs to a row; of what it said, the last counts."""
    found = []
    for case in ElementTree.parse(path).iter("testcase"):
        said = [one.get("value", "") for one in case.iter("property") if one.get("name") == "fault"]
        if not said or case.find("skipped") is not None:
            continue
        line = json.loads(said[-1])
        readers = tuple(line.pop("readers", ()))
        has_passed = not any(case.find(kind) is not None for kind in FAILURES)
        found.append(Measured(str(case.get("name")), float(case.get("time", 0)), has_passed, readers=readers, **line))
    return found


def lines_of(rows: Iterable[Row], measured: Sequence[Measured]) -> Iterator[tuple[str, ...]]:
    """The table's lines: a row has one for each of its stores, and one for each of its tests that failed."""
    for row in rows:
        for store in row.stores:
            of_row = [one for one in measured if (one.row, one.store) == (row.name, store)]
            passed = [one for one in of_row if one.has_passed]
            failed = [one for one in of_row if not one.has_passed]
            where = "before either" if store == "lake" else store
            if not of_row:
                yield (row.told, where, "", "", "", "", "", "", "NOT MEASURED")
                continue
            seconds = sum(one.seconds for one in of_row)
            yield (
                row.told,
                where,
                f"{sum(one.injections for one in passed):,}",
                _joined({state for one in passed for state in one.readers}),
                _joined({one.content for one in passed}),
                _counted(one.account_days for one in passed),
                _counted(one.rows for one in passed),
                f"{seconds:,.0f}",
                "FAIL" if failed else "ok",
            )
            yield from ((f"  {one.test}", where, *[""] * 6, "FAIL") for one in failed)


def _joined(said: Iterable[str]) -> str:
    return " or ".join(sorted({text for text in said if text})) or "–"


def _counted(counts: Iterable[int]) -> str:
    return f"{total:,}" if (total := sum(counts)) else "–"


def _run(chosen: Sequence[Row], kills: int) -> tuple[int, list[Measured]]:
    """Run the tests that name these rows: pytest's exit code, and what they said."""
    files = sorted(file for file, names in marks().items() if names & {row.name for row in chosen})
    if not files:
        return 0, []
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", *files, "-m", "faults", f"--junitxml={report}"]
        command += [f"--fault-rows={','.join(row.name for row in chosen)}", f"--kills={kills}"]
        command += ["--numprocesses", "2", "--dist", "loadscope", "--no-loadscope-reorder"]
        ended = subprocess.run(command, cwd=PROJECT, check=False).returncode
        return ended, read_report(report) if report.exists() else []


def main() -> int:
    """Run the tests of the table, print it, and say by the exit code whether all of it was measured and holds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="names of rows, separated by commas")
    parser.add_argument("--kills", type=int, default=34, help="random moments at which a run of each store is killed")
    asked = parser.parse_args()
    chosen = [row for row in ROWS if not asked.only or row.name in asked.only.split(",")]
    ended, measured = _run(chosen, asked.kills)
    lines = list(lines_of(chosen, measured))
    table = Table(*HEADS)
    for line in lines:
        table.add_row(*line)
    Console(width=None if sys.stdout.isatty() else 170, markup=False).print(table)
    return int(bool(ended) or not lines or any(line[-1] != "ok" for line in lines))


if __name__ == "__main__":
    sys.exit(main())
