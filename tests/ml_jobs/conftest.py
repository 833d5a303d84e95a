"""A made-up bank whose true hazards are known, once for all tests."""

import pyarrow as pa
import pytest

from lakehouse.settings import Settings
from tests.ml_jobs.made_up import made_up_bank, made_up_rows


@pytest.fixture(scope="session")
def rows() -> tuple[pa.Table, pa.Table]:
    return made_up_rows()


@pytest.fixture(scope="session")
def bank(tmp_path_factory, rows) -> Settings:
    """A bank for tests that only add to its lake."""
    return made_up_bank(tmp_path_factory.mktemp("bank"), *rows)
