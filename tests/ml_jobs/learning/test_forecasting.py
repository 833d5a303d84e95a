"""Forecasts of made-up series: they add up, know nothing of the future, and say what they are worth."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from ml_jobs.derived.forecasts import drivers_of
from ml_jobs.learning.forecasting import HORIZON, CannotForecast, Drivers, effect, forecast
from ml_jobs.learning.hierarchy import Hierarchy

FIRST = date(2024, 1, 7)
WEEKS = 104
BRANCHES, FAMILIES = np.repeat(["B1", "B2", "B3"], 2), np.tile(["fixed", "savings"], 3)


def made_up_drivers(weeks: int, mmf_yield: np.ndarray | None = None) -> Drivers:
    week_ends = pd.date_range(FIRST, periods=weeks, freq="7D")
    days = pd.date_range(FIRST - timedelta(days=6), periods=7 * (weeks + HORIZON))
    calendar = pd.DataFrame({"date_day": days, "is_holiday": False, "holiday_name": None})
    rates = pd.DataFrame(
        {"rate_code": "mmf_yield", "rate_date": week_ends, "rate": 2.0 if mmf_yield is None else mmf_yield}
    )
    return drivers_of(calendar, rates, week_ends)


def stocks(weeks: int = WEEKS) -> np.ndarray:
    """(weeks, series): much at the start of each month, less at its end; growth and noise that stay."""
    random = np.random.default_rng(5)
    day = pd.date_range(FIRST, periods=weeks, freq="7D").day.to_numpy()
    size = np.array([5e6, 9e6, 2e6, 4e6, 1e6, 3e6])
    return size * (1 - 0.004 * day[:, None] + np.cumsum(0.003 * random.normal(1, size=(weeks, 6)), axis=0))


@pytest.fixture(scope="module")
def hierarchy() -> Hierarchy:
    return Hierarchy.of(BRANCHES, FAMILIES)


def test_forecasts_add_up_to_the_cent_and_intervals_are_nested(hierarchy: Hierarchy) -> None:
    for is_stock in (True, False):
        result = forecast(stocks(), hierarchy, made_up_drivers(WEEKS), is_stock)
        assert np.abs(hierarchy.sums(result.mean[:, hierarchy.level == "branch_family"]) - result.mean).max() < 1e-6
        inner, outer = result.half_width
        assert (inner > 0).all() and (inner < outer).all()
        again = forecast(stocks(), hierarchy, made_up_drivers(WEEKS), is_stock)
        assert (again.mean == result.mean).all() and (again.half_width == result.half_width).all()


def test_the_course_of_the_month_is_learned_and_judged_on_later_weeks(hierarchy: Hierarchy) -> None:
    result = forecast(stocks(), hierarchy, made_up_drivers(WEEKS), is_stock=True)
    assert result.models["bank"] == "regression" and result.baseline_name == "seasonal_naive"
    bank = [row for row in result.accuracy if row.level == "bank"]
    assert [row.horizon_weeks for row in bank] == list(range(1, HORIZON + 1))
    for row in bank:
        assert row.mae.value < min(row.baseline_mae, row.naive_mae)
        assert row.mae.low <= row.mae.value <= row.mae.high and row.skill.value > 0
    inside_80, inside_95 = np.mean([row.coverage for row in result.accuracy], axis=0)
    assert 0.7 < inside_80 < inside_95 and inside_95 > 0.9  # never narrower than promised, on steady series


def test_last_year_is_used_where_it_is_better(hierarchy: Hierarchy) -> None:
    random = np.random.default_rng(1)
    year = random.uniform(1, 2, (52, 6))
    result = forecast(np.vstack([year, year]) * 1e5, hierarchy, made_up_drivers(WEEKS), is_stock=False)
    assert set(result.models.values()) == {"seasonal_naive"}
    assert result.mean == pytest.approx(hierarchy.sums(year[:HORIZON] * 1e5), abs=0.1)


def test_a_short_history_falls_back_and_a_shorter_one_abstains(hierarchy: Hierarchy) -> None:
    for weeks in (26, 45):
        result = forecast(stocks(weeks), hierarchy, made_up_drivers(weeks), is_stock=True)
        assert set(result.models.values()) <= {"naive", "drift"} and result.baseline_name == "naive"
    with pytest.raises(CannotForecast, match="25 whole weeks"):
        forecast(stocks(25), hierarchy, made_up_drivers(25), is_stock=True)


def test_forecasts_that_add_up_stay_as_they_are(hierarchy: Hierarchy) -> None:
    nodes = hierarchy.sums(stocks())
    weights = hierarchy.reconciler(np.arange(1.0, 13.0))
    assert nodes @ weights.T == pytest.approx(stocks())
    moved = nodes + np.where(hierarchy.level == "bank", 1e5, 0)
    assert hierarchy.sums(moved @ weights.T)[:, 0] - nodes[:, 0] == pytest.approx(np.full(WEEKS, 1e5), rel=0.95)


def test_an_effect_of_a_rate_is_found_where_there_is_one() -> None:
    random = np.random.default_rng(3)
    mmf_yield = 2 + np.cumsum(0.1 * random.normal(size=WEEKS))
    drivers, noise = made_up_drivers(WEEKS, mmf_yield), random.normal(size=(WEEKS, 1))
    for is_stock in (True, False):
        moves = 40 * mmf_yield[:, None] + 5 * noise
        estimate = effect(np.cumsum(moves, axis=0) if is_stock else moves, drivers, is_stock, "mmf_yield")
        assert abs(estimate.per_week[0] - 40) < 3 * estimate.standard_error[0] < 20
    none = effect(5 * noise, drivers, False, "mmf_yield")
    assert abs(none.per_week[0]) < 3 * none.standard_error[0]
    assert np.isinf(effect(moves, drivers, False, "deposit_1y").standard_error).all()  # it never moved
