"""One small bank for the tests of the simulator."""

from pathlib import Path

import pytest

from simulator import generate


@pytest.fixture(scope="session")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """700 customers, 5 months and 2 days."""
    folder = tmp_path_factory.mktemp("bank")
    generate(700, 5, 11, folder, days=2)
    return folder
