"""Features and labels of the story: built once all at once, once day by day."""

import shutil

import pytest

from lakehouse.warehouse import run_dbt
from tests.conftest import temporary_settings
from tests.dbt.bank import Bank
from tests.dbt_features import year

MODELS = " ".join(
    f"+label_{task}"
    for task in (
        *("churn", "deposit_churn", "wealth_churn", "tier_upgrade", "tier_downgrade", "credit_warning"),
        *("product_purchase", "lead_conversion"),
    )
)


def build(bank: Bank, business_date: str, from_date: str, as_of_dates: list[str]) -> None:
    """Build features and labels in the bank's engine, with the tests of what is built."""
    variables = {"business_date": business_date, "from_date": from_date, "as_of_dates": as_of_dates}
    run_dbt(temporary_settings(bank.folder), MODELS, variables)


def build_on_top(bank: Bank, business_date: str, from_date: str) -> None:
    """The same for one date over an engine that has seeds and staging already; without tests, which `build` runs."""
    variables = {"business_date": business_date, "from_date": from_date, "as_of_dates": [business_date]}
    standing = "resource_type:seed resource_type:test path:models/staging"
    run_dbt(temporary_settings(bank.folder), MODELS, variables, without=standing)


def deliver_all(bank: Bank) -> None:
    """The whole story."""
    year.deliver_initial(bank)
    for day, _ in year.DAYS:
        year.deliver_day(bank, day)


@pytest.fixture(scope="session")
def initial_bank(tmp_path_factory: pytest.TempPathFactory) -> Bank:
    """The story up to the end of its initial load."""
    bank = Bank(tmp_path_factory.mktemp("features_initial"))
    year.deliver_initial(bank)
    build(bank, year.INITIAL_DATE, year.FIRST_DATE, year.MONTH_ENDS)
    return bank


@pytest.fixture(scope="session")
def full_bank(tmp_path_factory: pytest.TempPathFactory) -> Bank:
    """The whole story in one build, with every as-of date."""
    bank = Bank(tmp_path_factory.mktemp("features_full"))
    deliver_all(bank)
    build(bank, year.DAYS[-1][0], year.FIRST_DATE, [*year.MONTH_ENDS, *(day for day, _ in year.DAYS)])
    return bank


@pytest.fixture(scope="session")
def daily_bank(initial_bank: Bank, tmp_path_factory: pytest.TempPathFactory) -> Bank:
    """The story as it happened: the initial build, then a day at a time."""
    bank = Bank(tmp_path_factory.mktemp("features_daily"))
    shutil.copy(initial_bank.path, bank.path)
    for day, from_date in year.DAYS:
        year.deliver_day(bank, day)
        build_on_top(bank, day, from_date)
    return bank
