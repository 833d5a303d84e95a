"""Prints a table of what was measured; exit code 1 if something is amiss: ``python -m checks.security``."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from xml.etree import ElementTree

from rich.console import Console
from rich.table import Table

from checks.security import licences
from checks.security.advisories import match_advisories
from checks.security.scanning import open_to_others, scan
from lakehouse.lake.dates import landed_dates
from lakehouse.settings import PROJECT

LOCKS = tuple(PROJECT / "requirements" / f"{name}.lock" for name in ("bootstrap", "requirements", "dev"))
PROGRAMS = Path(sys.executable).parent
MATRIX = ("tests/c360/test_rights.py", "tests/c360/test_api_sight.py", "tests/c360/app/test_access.py")
LEAKS = ("tests/lakehouse/warehouse/test_levels.py", "tests/lakehouse/warehouse/test_transport.py")
DATABASE = "PIP_AUDIT_VULNERABILITY_SERVICE"  # pip-audit's own variable
ASK_ONE = (
    "With a copy of github.com/pypa/advisory-database: make security ADVISORIES=FOLDER. "
    f"Where a database is in reach: pipx install pip-audit; {DATABASE}=osv make security"
)
SHOWN = 5  # faults that are named
FOLDER = PROJECT / "var" / "security"


@dataclass(frozen=True)
class Row:
    """One line of the table. ``is_fine`` is None where nothing could be measured."""

    check: str
    measured: str
    is_fine: bool | None
    faults: tuple[str, ...] = ()


def role_matrix() -> Row:
    """Every role, table and verb on a real Postgres, every route of the API, every page."""
    return _tests("who reads what: roles, routes, pages", MATRIX)


def levels_and_transport() -> Row:
    """Planted leaks stop a publish; TLS holds for every way to Postgres."""
    return _tests("security levels, TLS to Postgres", LEAKS)


def _tests(check: str, files: tuple[str, ...]) -> Row:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", *files, "--quiet", "--numprocesses", "0", f"--junitxml={report}"]
        subprocess.run(command, cwd=PROJECT, capture_output=True, check=False)
        if not report.exists():
            return Row(check, "the tests did not run", False)
        cases = list(ElementTree.parse(report).iter("testcase"))
    states = Counter(
        next((kind for kind in ("failure", "error", "skipped") if case.find(kind) is not None), "passed")
        for case in cases
    )
    wrong = tuple(
        str(case.get("name")) for case in cases if case.find("failure") is not None or case.find("error") is not None
    )
    told = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    return Row(check, f"{len(cases)} tests: {told}", states["passed"] == len(cases), wrong)


def personal_values_in_files() -> Row:
    """A small bank is run, faults included; its personal values are looked for in every byte that it wrote."""
    from checks.security.bank import CANARY, CLOSED, IN_CLEAR, personal_values, run_bank
    from checks.security.shapes import SHAPES

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = run_bank(folder).settings
        values = personal_values(settings, max(landed_dates(settings.landing)))
        planted = {f"canary.{kind}": value for kind, value in CANARY.items()}
        loaded = {find.value_name for find in scan(folder / "lake" / "raw", values | planted).finds}
        refused = {find.value_name for find in scan(folder / "lake" / "quarantine", planted).finds}
        found = scan(folder, values | planted, IN_CLEAR, SHAPES)
        opened = open_to_others(folder, CLOSED)
    told = (
        f"{len(values)} values, {len(planted)} planted ones and {len(SHAPES)} shapes, in {found.file_count:,} files "
        f"and {found.byte_count / 1e6:,.0f} MB: {len(found.finds)} finds; {len(opened)} files open to others; "
        f"where they may be: {len(loaded)} found, {len(refused)} in refused rows"
    )
    faults = tuple(f"{find.path}: {find.value_name}" for find in found.finds)
    faults += tuple(f"{path}: open to others" for path in opened)
    is_seeing = len(loaded) == len(values) + len(planted) and len(refused) == len(planted)
    is_fine = bool(values) and is_seeing and not faults
    return Row("personal values in what a small bank wrote, faults included", told, is_fine, faults)


def secrets() -> Row:
    """The hook of the checks, over all files of the tree."""
    command = [PROGRAMS / "pre-commit", "run", "secrets", "--all-files"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    listed = subprocess.run(["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=True)
    lines = tuple(line for line in done.stdout.splitlines() if line.startswith("Location:"))
    return Row("secrets in the tree", f"{len(listed.stdout.split()):,} files", done.returncode == 0, lines)


def bill_of_materials() -> Row:
    """CycloneDX of the locked libraries that run, checked against its schema, in ``var/security``."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / "sbom.json"
    command = [PROGRAMS / "cyclonedx-py", "requirements", str(LOCKS[1]), "--output-file", str(path), "--validate"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return Row("list of libraries (CycloneDX)", "could not be made", False, (done.stderr.strip()[-200:],))
    listed = json.loads(path.read_text())["components"]
    locked = licences.locked(LOCKS[1:2])
    hashed = sum(bool(one.get("hashes") or one.get("externalReferences")) for one in listed)
    told = f"{len(listed)} of {len(locked)} locked libraries, {hashed} with hashes: {path.relative_to(PROJECT)}"
    return Row("list of libraries (CycloneDX)", told, len(listed) == len(locked) == hashed)


def allowed_licences() -> Row:
    """Of every locked library that is installed."""
    names = licences.locked(LOCKS)
    judged = licences.judge({name: licences.licence_of(name) for name in names}, licences.read_policy())
    counts = Counter(library.verdict for library in judged)
    faults = tuple(f"{one.name}: {one.licence or 'says nothing'}" for one in judged if not one.is_fine)
    told = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
    return Row("licences", f"{len(judged)} libraries: {told}", not faults, faults)


def known_faults(advisories: Path | None = None, today: date | None = None) -> Row:
    """By a folder of advisories; else ``pip-audit``, where it is installed and a database is named that it may ask."""
    if advisories:
        return _listed_faults(advisories, today or date.today())  # noqa: DTZ011  the age of a list is a thing of today
    check, program = "known faults of libraries (pip-audit)", shutil.which("pip-audit")
    if program is None or not os.environ.get(DATABASE):
        lacking = "pip-audit is not installed" if program is None else "no database is named"
        return Row(check, f"NOT MEASURED: {lacking}. {ASK_ONE}", None)
    command = [program, "--requirement", str(LOCKS[1]), "--no-deps", "--disable-pip", "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    try:
        told = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        return Row(check, f"NOT MEASURED: the database {os.environ[DATABASE]} did not answer. {ASK_ONE}", None)
    faults = tuple(f"{one['name']} {one['version']}: {fault['id']}" for one in told for fault in one.get("vulns", ()))
    return Row(check, f"{len(told)} libraries", not faults, faults)


def _listed_faults(folder: Path, today: date) -> Row:
    """An old list can say that something is wrong, and not that nothing is."""
    libraries = licences.versions(LOCKS[1:2])
    matches = match_advisories(libraries, folder)
    faults = matches.faults
    measured = f"{len(libraries)} libraries, {matches.count:,} advisories up to {matches.newest}: {len(faults)} faults"
    if matches.is_stale(today):
        measured = f"NOT MEASURED since: {measured}. Get a new copy: git -C {folder} pull"
    is_fine = None if matches.is_stale(today) and not faults else not faults
    return Row("known faults of libraries (list of advisories)", measured, is_fine, faults)


CHECKS: tuple[Callable[[], Row], ...] = (
    role_matrix,
    levels_and_transport,
    personal_values_in_files,
    secrets,
    bill_of_materials,
    allowed_licences,
)


def lines_of(rows: list[Row]) -> Iterator[tuple[str, str, str]]:
    """The table's lines: each check, and below it the first of its faults."""
    words = {True: "ok", False: "FAIL", None: "–"}
    for row in rows:
        yield row.check, row.measured, words[row.is_fine]
        yield from (("", fault, "") for fault in row.faults[:SHOWN])
        if len(row.faults) > SHOWN:
            yield "", f"and {len(row.faults) - SHOWN} more", ""


def main() -> int:
    """Measure, print, and say by the exit code whether all is as it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--advisories", type=Path, help="folder of OSV files, as of github.com/pypa/advisory-database")
    asked = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    rows = [*(check() for check in CHECKS), known_faults(asked.advisories)]
    table = Table("check", "measured", "result")
    for line in lines_of(rows):
        table.add_row(*line)
    Console(width=None if sys.stdout.isatty() else 140, markup=False).print(table)
    return int(any(row.is_fine is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
