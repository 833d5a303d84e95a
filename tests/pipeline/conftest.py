"""One bank, simulated once; and the warehouse that an undisturbed run, day by day, makes of it.

They are kept below ``var/test-banks`` for as long as neither the code nor the input changes.
"""

import hashlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest
from filelock import FileLock

import simulator
from c360 import pipeline
from lakehouse.lake import close_files
from lakehouse.settings import PROJECT, Settings
from tests.conftest import parsed
from tests.pipeline.bank import (
    content,
    copy_of,
    define_tags,
    deliver_adjustments,
    deliver_wishes,
    deployment_at,
    lines_of,
    redeliver,
)

CUSTOMERS, MONTHS, DAYS = 1_000, 18, 3  # enough for every score: fewer outcomes, or months, and it abstains
START = date(2023, 9, 1)
LAST_OF_HISTORY = date(2025, 2, 28)
MADE_BY = ("c360", "dbt_project", "deployments", "expectations", "feeds", "lakehouse", "ml_jobs", "requirements")
MADE_BY += ("simulator", "tests/conftest.py", "tests/pipeline/bank.py", "tests/pipeline/conftest.py")
UNREAD = {"__pycache__", "target", "logs"}
D1, D2, D3 = (LAST_OF_HISTORY + timedelta(days=number) for number in (1, 2, 3))


@dataclass(frozen=True)
class Undisturbed:
    """A finished installation and the content of its published tables."""

    settings: Settings
    content: dict[str, tuple[int, int]]


def made_once(folder: Path, make: Callable[[Path], None]) -> Path:
    """The folder as ``make`` leaves it, to be copied: the first worker makes it, the others wait for it."""
    made = folder / "made"
    with FileLock(folder.with_suffix(".lock")):
        if not made.exists():  # at most the leftovers of a session that was stopped
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            made.touch()
    return folder


def hash_of(*paths: Path) -> str:
    """A hash of files, and of the files below folders, by name and content."""
    digest = hashlib.sha256()
    files = [file for path in paths for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file()]
    for file in sorted(file for file in files if not UNREAD & set(file.parts)):
        digest.update(bytes(file.relative_to(PROJECT)) + file.read_bytes())
    return digest.hexdigest()[:16]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of the banks that this code makes, shared by the workers and by later sessions."""
    banks = PROJECT / "var" / "test-banks"
    folder = banks / hash_of(*(PROJECT / name for name in MADE_BY))
    folder.mkdir(parents=True, exist_ok=True)
    for outdated in set(banks.iterdir()) - {folder}:
        shutil.rmtree(outdated, ignore_errors=True)
    return folder


@pytest.fixture(scope="session")
def landing(shared: Path) -> Path:
    """A history of months and three days; the second day has a late row, the third sends the first one again."""
    return made_once(shared / "bank", _deliver) / "landing"


def _deliver(folder: Path) -> None:
    simulator.generate(CUSTOMERS, MONTHS, 11, folder, days=DAYS, start=START)
    change_days(folder / "landing")
    define_tags(deployment_at(folder, folder / "landing"), D1, D3)
    deliver_wishes(folder / "landing", D1, D3)
    deliver_adjustments(folder / "landing", D1)


def change_days(landing: Path) -> None:
    """Give the second day a late row; the third sends the first one again."""
    second, first = (lines_of(landing, "transactions", str(day)) for day in (D2, D1))
    late = second[1].replace(str(D2), str(D1 - timedelta(days=2)))
    redeliver(landing, "transactions", str(D2), 1, [second[0], late, *second[2:]], D2)
    redeliver(landing, "transactions", str(D1), 2, first[:-1], D3)


def _enter() -> None:
    """As a command does, from a shell that closes nothing."""
    os.umask(0)
    close_files()


@pytest.fixture(scope="session")
def history(landing: Path, shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The history is built and published; the three days are still to run. To be copied, not run."""

    def build(folder: Path) -> None:
        _enter()
        pipeline.run(parsed(deployment_at(folder, landing)), LAST_OF_HISTORY, LAST_OF_HISTORY)

    made = deployment_at(made_once(shared / "history", build), landing)
    return copy_of(made, tmp_path_factory.mktemp("history"))


@pytest.fixture(scope="session")
def day_by_day(history: Settings, shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """Every date in order, each once."""

    def run(folder: Path) -> None:
        _enter()
        assert pipeline.run(copy_of(history, folder)) == [D1, D2, D3]

    made = deployment_at(made_once(shared / "undisturbed", run), history.landing)
    settings = copy_of(made, tmp_path_factory.mktemp("undisturbed"))
    return Undisturbed(settings, content(settings.warehouse))
