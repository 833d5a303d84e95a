"""One bank for the session, simulated once; and the warehouse that an undisturbed run, day by day, makes of it."""

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest

import simulator
from c360 import pipeline
from c360.settings import Settings
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


@pytest.fixture(scope="session")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A history of months and three days; the second day has a late row, the third sends the first one again."""
    folder = tmp_path_factory.mktemp("bank")
    simulator.generate(CUSTOMERS, MONTHS, 11, folder, days=DAYS, start=START)
    landing = folder / "landing"
    second, first = (lines_of(landing, "transactions", str(day)) for day in (D2, D1))
    late = second[1].replace(str(D2), str(D1 - timedelta(days=2)))
    redeliver(landing, "transactions", str(D2), 1, [second[0], late, *second[2:]], D2)
    redeliver(landing, "transactions", str(D1), 2, first[:-1], D3)
    return landing


@pytest.fixture(scope="session")
def history(landing: Path, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The history is built and published; the three days are still to run. To be copied, not run."""
    settings = deployment_at(tmp_path_factory.mktemp("history"), landing)
    pipeline.run(settings, LAST_OF_HISTORY, LAST_OF_HISTORY)
    return settings


@pytest.fixture(scope="session")
def day_by_day(history: Settings, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """Every date in order, each once."""
    settings = copy_of(history, tmp_path_factory.mktemp("undisturbed"))
    assert pipeline.run(settings) == [D1, D2, D3]
    return Undisturbed(settings, content(settings.warehouse))
