"""Forecasts as files of the lake: once per history, and of nothing that came after the last whole week."""

import json
from collections.abc import Iterator
from datetime import date, timedelta

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lakehouse import lake
from lakehouse.settings import Settings
from ml_jobs.derived.forecasts import write_forecasts
from tests.conftest import temporary_settings
from tests.ml_jobs.learning.test_forecasting import BRANCHES, FAMILIES, FIRST, WEEKS, made_up_drivers, stocks
from tests.ml_jobs.made_up import deliver

LAST = FIRST + timedelta(weeks=WEEKS - 1)  # a Sunday


@pytest.fixture
def settings(tmp_path) -> Iterator[Settings]:
    """A build engine with two years of deposits, a calendar and rates."""
    settings = temporary_settings(tmp_path)
    amounts = [
        ("deposit", branch, family, FIRST + timedelta(weeks=week), round(float(amount), 2))
        for week, row in enumerate(stocks())
        for branch, family, amount in zip(BRANCHES, FAMILIES, row, strict=True)
    ]
    names = ("measure", "branch_code", "product_family", "week_end_date", "amount")
    rows = pa.table(dict(zip(names, map(list, zip(*amounts, strict=True)), strict=True)))
    with duckdb.connect(str(settings.build)) as engine:
        engine.register("rows", rows)
        engine.execute("create schema build_marts")
        engine.execute(
            "create table build_marts.balance_series_weekly as "
            "select * replace (cast(amount as decimal(38,2)) as amount) from rows"
        )
        engine.execute(
            "create table build_marts.dim_date as select cast(day as date) as date_day, false as is_holiday, "
            "day(day) = 10 as is_pay_day, last_day(day) = day as is_month_end, "
            "last_day(day) = day and month(day) % 3 = 0 as is_quarter_end, "
            "cast(null as integer) as days_to_spring_festival "
            "from range(date '2023-12-01', date '2027-01-01', interval 1 day) as days(day)"
        )
        engine.execute(
            "create table build_marts.fct_market_rates as select * from (values "
            "('mmf_yield', date '2024-01-01', cast(0.015 as decimal(12,6))), "
            "('mmf_yield', date '2025-01-01', cast(0.017 as decimal(12,6)))) as rates(rate_code, rate_date, rate)"
        )
    return settings


def forecast_on(settings: Settings, day: date) -> dict[str, str]:
    deliver(settings, day, str(day), "daily")
    return write_forecasts(settings, lake.pin(settings.lake, day))


def change(settings: Settings, statement: str) -> None:
    with duckdb.connect(str(settings.build)) as engine:
        engine.execute(statement)


def test_nothing_that_comes_later_changes_a_forecast(settings: Settings) -> None:
    outcome = forecast_on(settings, LAST)
    assert outcome["forecast"].startswith(str(LAST))
    balances = settings.lake / lake.FORECASTS / outcome["forecast"] / "balances.parquet"
    before = balances.read_bytes()
    change(
        settings,
        "insert into build_marts.balance_series_weekly "
        f"select measure, branch_code, product_family, date '{LAST + timedelta(weeks=1)}', 9 * amount "
        f"from build_marts.balance_series_weekly where week_end_date = date '{LAST}'",
    )
    change(
        settings,
        f"insert into build_marts.fct_market_rates values ('mmf_yield', date '{LAST + timedelta(days=1)}', 0.9)",
    )
    assert forecast_on(settings, LAST + timedelta(days=6)) == outcome  # the week is not over: no new forecast
    assert balances.read_bytes() == before
    assert forecast_on(settings, LAST + timedelta(days=7))["forecast"].startswith(str(LAST + timedelta(days=7)))


def test_a_forecast_is_made_anew_when_the_past_is_corrected_and_is_the_same_bit_for_bit(settings: Settings) -> None:
    outcome = forecast_on(settings, LAST)
    folder = settings.lake / lake.FORECASTS / outcome["forecast"]
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    assert forecast_on(settings, LAST + timedelta(days=1)) == outcome
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == first
    change(settings, "update build_marts.balance_series_weekly set amount = amount + 1")
    assert forecast_on(settings, LAST + timedelta(days=2)) != outcome


def test_a_forecast_is_what_the_contract_says(settings: Settings) -> None:
    folder = settings.lake / lake.FORECASTS / forecast_on(settings, LAST)["forecast"]
    rows = pq.read_table(folder / "balances.parquet").to_pylist()
    assert len(rows) == 13 * (1 + 2 + 3 + 6)
    assert {row["week_end_date"] for row in rows} == {LAST + timedelta(weeks=week) for week in range(1, 14)}
    for row in rows:
        bounds = [row[f"{name}_amount"] for name in ("lower_95", "lower_80", "mean", "upper_80", "upper_95")]
        assert bounds == sorted(bounds) and bounds[0] >= 0
    accuracy = pq.read_table(folder / "accuracy.parquet").to_pylist()
    assert {row["series_count"] for row in accuracy} == {1, 2, 3, 6}
    groups = {(row["first_horizon_weeks"], row["last_horizon_weeks"]) for row in accuracy}
    assert len(accuracy) == 4 * len(groups) and groups == {(1, 4), (5, 8), (9, 13)}
    for row in accuracy:
        assert row["skill_low"] <= row["skill"] <= row["skill_high"]
        assert 0 <= row["coverage_80_low"] <= row["coverage_80"] <= row["coverage_80_high"] <= 1
        assert row["interval_origin_count"] == row["origin_count"] >= 26


def test_drivers_are_told_of_festivals_to_come_pay_days_and_the_ends_of_months_and_quarters() -> None:
    drivers = made_up_drivers(107)  # to 2026-01-18; the festival begins on Tuesday 2026-02-17
    flow, stock = (dict(zip(drivers.names, part.T, strict=False)) for part in (drivers.flow, drivers.stock))
    sundays = [FIRST + timedelta(weeks=week) for week in range(107 + 13)]
    festival, month_end, quarter_end, pay_day = map(
        sundays.index, (date(2026, 2, 22), date(2026, 3, 1), date(2026, 4, 5), date(2026, 2, 15))
    )
    assert festival > 107 and flow["spring_festival_in_0"][festival] == pytest.approx(6 / 7)
    assert flow["spring_festival_in_1"][festival - 1] == pytest.approx(6 / 7)
    assert flow["spring_festival_in_-1"][festival + 1] == pytest.approx(6 / 7)
    # A stock moves by how the Sunday differs from the one before: 22 February is in the week of the festival, still.
    assert stock["spring_festival_in_0"][festival] == 1 and stock["spring_festival_in_0"][festival + 1] == -1
    assert flow["month_end"][month_end] == pytest.approx(3 / 7) and flow["quarter_end"][month_end] == 0
    assert flow["quarter_end"][quarter_end] == pytest.approx(2 / 7)  # 30 and 31 March; 29 was the Sunday before
    assert flow["pay_day"][pay_day] == stock["pay_day"][pay_day] == pytest.approx(1 / 7)


def test_a_bank_without_history_abstains_with_the_reason(settings: Settings) -> None:
    change(settings, f"delete from build_marts.balance_series_weekly where week_end_date > date '{FIRST}'")
    assert "1 whole weeks" in forecast_on(settings, FIRST)["reason"]
    change(settings, "delete from build_marts.balance_series_weekly")
    outcome = forecast_on(settings, LAST)
    assert "no balance" in outcome["reason"]
    path = lake.known_path(settings.lake, lake.FORECASTS, lake.pin(settings.lake, LAST))
    assert json.loads(path.read_text()) == outcome
