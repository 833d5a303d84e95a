"""A small dbt project in place of the bank's, and days that run through it."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from lakehouse import lake, warehouse
from lakehouse.settings import Settings


@pytest.fixture
def small_project(monkeypatch: pytest.MonkeyPatch) -> None:
    """``run_dbt`` builds tests/lakehouse/warehouse/project."""
    monkeypatch.setattr(warehouse.dbt, "DBT_PROJECT", Path(__file__).parent / "project")


@pytest.fixture
def run_day(small_project: None) -> Callable[..., int]:
    """Attach, build and publish one business date; returns the publish id."""

    def run(settings: Settings, business_date: date, from_date: date) -> int:
        pin = lake.pin(settings.lake, business_date)
        warehouse.attach(settings, pin, None)
        variables = {"business_date": business_date, "from_date": from_date}
        warehouse.run_dbt(settings, "tag:staging tag:marts tag:serving", variables)
        warehouse.write_state(settings, warehouse.BuildState.of(pin, Path("identity/none.parquet"), "a project"))
        return warehouse.publish(settings, business_date, f"run of {business_date}")

    return run
