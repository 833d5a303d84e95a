"""A bank whose files land in a temporary folder."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from lakehouse.settings import Settings
from tests.conftest import SECRET
from tests.faults_table import Fault
from tests.lakehouse.ingestion.bank import Bank


@pytest.fixture
def bank(settings: Settings, fault: Fault | None) -> Iterator[Bank]:
    yield Bank(settings)
    if fault:
        fault.accounts_for(settings)


@pytest.fixture
def next_bank(tmp_path: Path, fault: Fault | None) -> Iterator[Callable[[], Bank]]:
    """One empty bank after the other, for tests that draw many examples."""
    numbers, made = count(1), []

    def make() -> Bank:
        folder = tmp_path / f"bank{next(numbers)}"
        made.append(Settings.from_env(landing=folder / "landing", lake=folder / "lake", token_secret=SECRET))
        return Bank(made[-1])

    yield make
    for settings in made if fault else ():
        fault.accounts_for(settings)
