"""A bank whose files land in a temporary folder."""

from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from lakehouse.settings import Settings
from tests.conftest import SECRET
from tests.lakehouse.ingestion.bank import Bank


@pytest.fixture
def bank(settings: Settings) -> Bank:
    return Bank(settings)


@pytest.fixture
def next_bank(tmp_path: Path) -> Callable[[], Bank]:
    """One empty bank after the other, for tests that draw many examples."""
    numbers = count(1)

    def make() -> Bank:
        folder = tmp_path / f"bank{next(numbers)}"
        return Bank(Settings.from_env(landing=folder / "landing", lake=folder / "lake", token_secret=SECRET))

    return make
