"""One bank for the session, simulated once; and the warehouse that an undisturbed run, day by day, makes of it."""

import fcntl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest

import simulator
from c360 import pipeline
from lakehouse.settings import Settings
from tests.pipeline.bank import content, copy_of, deployment_at, lines_of, redeliver

CUSTOMERS, MONTHS, DAYS = 800, 18, 3  # enough for every score: fewer outcomes, or months, and it abstains
START = date(2023, 9, 1)
LAST_OF_HISTORY = date(2025, 2, 28)
D1, D2, D3 = (LAST_OF_HISTORY + timedelta(days=number) for number in (1, 2, 3))


@dataclass(frozen=True)
class Undisturbed:
    """A finished installation and the content of its published tables."""

    settings: Settings
    content: dict[str, tuple[int, int]]


def made_once(folder: Path, make: Callable[[Path], None]) -> Path:
    """The folder as ``make`` leaves it, to be copied: the first worker makes it, the others wait for it."""
    folder.mkdir(exist_ok=True)
    with (folder / "made").open("a") as made:
        fcntl.flock(made, fcntl.LOCK_EX)
        if made.tell() == 0:
            make(folder)
            made.write("made")
    return folder


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder of the session that its workers share."""
    own = tmp_path_factory.getbasetemp()
    return own if worker_id == "master" else own.parent


@pytest.fixture(scope="session")
def landing(shared: Path) -> Path:
    """A history of months and three days; the second day has a late row, the third sends the first one again."""
    return made_once(shared / "bank", _deliver) / "landing"


def _deliver(folder: Path) -> None:
    simulator.generate(CUSTOMERS, MONTHS, 11, folder, days=DAYS, start=START)
    landing = folder / "landing"
    second, first = (lines_of(landing, "transactions", str(day)) for day in (D2, D1))
    late = second[1].replace(str(D2), str(D1 - timedelta(days=2)))
    redeliver(landing, "transactions", str(D2), 1, [second[0], late, *second[2:]], D2)
    redeliver(landing, "transactions", str(D1), 2, first[:-1], D3)


@pytest.fixture(scope="session")
def history(landing: Path, shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The history is built and published; the three days are still to run. To be copied, not run."""

    def build(folder: Path) -> None:
        pipeline.run(deployment_at(folder, landing), LAST_OF_HISTORY, LAST_OF_HISTORY)

    made = deployment_at(made_once(shared / "history", build), landing)
    return copy_of(made, tmp_path_factory.mktemp("history"))


@pytest.fixture(scope="session")
def day_by_day(history: Settings, shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """Every date in order, each once."""

    def run(folder: Path) -> None:
        assert pipeline.run(copy_of(history, folder)) == [D1, D2, D3]

    made = deployment_at(made_once(shared / "undisturbed", run), history.landing)
    settings = copy_of(made, tmp_path_factory.mktemp("undisturbed"))
    return Undisturbed(settings, content(settings.warehouse))
