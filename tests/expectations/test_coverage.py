"""Which checks look at a column follows from the suites and from the queries of their frames."""

import pytest

from expectations import SUITES, coverage
from expectations.coverage import Check
from lakehouse.settings import Settings
from lakehouse.warehouse.dbt import read_manifest
from tests.conftest import parsed


@pytest.fixture(params=["duckdb", "postgres"])
def checks(settings: Settings, request: pytest.FixtureRequest) -> dict[str, Check]:
    return {check.name: check for check in coverage.mart_checks(read_manifest(parsed(settings)), request.param)}


def test_every_expectation_on_the_marts_looks_at_something(checks: dict[str, Check]) -> None:
    assert {check.suite for check in checks.values()} == {path.stem for path in SUITES.glob("marts_*.yml")}
    assert all(check.columns for check in checks.values())


def test_a_figure_looks_at_what_it_is_made_of_and_a_count_at_all_columns_of_its_table(checks: dict[str, Check]) -> None:
    assert checks["marts_customers: star_tier"].columns == {"marts.customer_360.star_tier"}
    probabilities = checks["marts_customers: lowest_probability"].columns
    assert "marts.customer_360.churn_probability" in probabilities
    assert all(column.endswith("_probability") for column in probabilities)
    counted = checks["marts_balance_breaks: unexplained_breaks"].columns
    assert {"marts.balance_breaks.break_amount", "marts.balance_breaks.business_date"} < counted
    assert {column.rpartition(".")[0] for column in counted} == {"marts.balance_breaks"}


def test_the_gate_of_deliveries_looks_at_feeds_and_at_their_optional_columns() -> None:
    required = coverage.raw_checks(["balances.balance", "build_seeds.tier_thresholds.star_tier"])
    assert "raw_deliveries: rejects_over_limit" in required
    assert not [name for name in required if name.startswith("raw_columns")]
    assert "raw_columns: null_share_increase" in coverage.raw_checks(["customers.phone"])
    assert coverage.raw_checks(["raw.scores.probability"]) == []
