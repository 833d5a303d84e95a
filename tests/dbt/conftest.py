"""The story bank, built: once after its initial load, once day by day, once in a single full build."""

from pathlib import Path

import pytest

from tests.dbt import quarter
from tests.dbt.bank import Bank


@pytest.fixture(scope="session")
def daily_bank(tmp_path_factory: pytest.TempPathFactory) -> Bank:
    """The story as it happened: a full build, then three daily ones on top."""
    bank = Bank(tmp_path_factory.mktemp("daily"))
    quarter.deliver_initial(bank)
    bank.dbt(quarter.INITIAL_DATE, quarter.FIRST_DATE)
    for business_date, from_date in quarter.DAYS:
        quarter.deliver_day(bank, business_date)
        bank.dbt_on_top(business_date, from_date)
    return bank


@pytest.fixture(scope="session")
def full_bank(tmp_path_factory: pytest.TempPathFactory) -> Bank:
    """Everything that the story delivered, in one full build at its last date."""
    bank = Bank(tmp_path_factory.mktemp("full"))
    quarter.deliver_initial(bank)
    for business_date, _ in quarter.DAYS:
        quarter.deliver_day(bank, business_date)
    bank.dbt(quarter.DAYS[-1][0], quarter.FIRST_DATE)
    return bank


@pytest.fixture
def empty_bank(tmp_path: Path) -> Bank:
    return Bank(tmp_path)
