"""Forecasts of made-up series: they add up, know nothing of the future, and say what they are worth."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from ml_jobs.derived.forecasts import drivers_of
from ml_jobs.learning.backtest import backtest_of, contender_of
from ml_jobs.learning.candidates import HORIZON, Drivers
from ml_jobs.learning.effects import effect
from ml_jobs.learning.forecasting import GROUPS, CannotForecast, Forecast, forecast
from ml_jobs.learning.hierarchy import LEVELS, Hierarchy

FIRST = date(2024, 1, 7)
WEEKS = 104
FESTIVALS = pd.to_datetime(["2024-02-10", "2025-01-29", "2026-02-17", "2027-02-06"])
BRANCHES, FAMILIES = np.repeat(["B1", "B2", "B3"], 2), np.tile(["fixed", "savings"], 3)


def calendar_of(weeks: int) -> pd.DataFrame:
    """The days of the weeks and of the horizon, as `marts.dim_date` has them."""
    days = pd.date_range(FIRST - timedelta(days=6), periods=7 * (weeks + HORIZON))
    until = (FESTIVALS.to_numpy()[:, None] - days.to_numpy()).astype("timedelta64[D]").astype(int)
    nearest = until[np.abs(until).argmin(axis=0), np.arange(len(days))]
    return pd.DataFrame(
        {
            "date_day": days,
            "is_holiday": (nearest <= 0) & (nearest > -7),
            "is_pay_day": days.day == 10,
            "is_month_end": days.is_month_end,
            "is_quarter_end": days.is_quarter_end,
            "days_to_spring_festival": np.where(np.abs(nearest) < 60, nearest, np.nan),
        }
    )


def made_up_drivers(weeks: int, mmf_yield: np.ndarray | None = None) -> Drivers:
    week_ends = pd.date_range(FIRST, periods=weeks, freq="7D")
    rates = pd.DataFrame(
        {"rate_code": "mmf_yield", "rate_date": week_ends, "rate": 2.0 if mmf_yield is None else mmf_yield}
    )
    return drivers_of(calendar_of(weeks), rates, week_ends)


def stocks(weeks: int = WEEKS) -> np.ndarray:
    """(weeks, series): much at the start of each month, less at its end; growth and noise that stay."""
    random = np.random.default_rng(5)
    day = pd.date_range(FIRST, periods=weeks, freq="7D").day.to_numpy()
    size = np.array([5e6, 9e6, 2e6, 4e6, 1e6, 3e6])
    return size * (1 - 0.004 * day[:, None] + np.cumsum(0.003 * random.normal(1, size=(weeks, 6)), axis=0))


@pytest.fixture(scope="module")
def hierarchy() -> Hierarchy:
    return Hierarchy.of(BRANCHES, FAMILIES)


def skills(result: Forecast, level: str) -> list[float]:
    return [row.skill.value for row in result.accuracy if row.level == level]


def test_forecasts_add_up_to_the_cent_and_intervals_are_nested(hierarchy: Hierarchy) -> None:
    for is_stock in (True, False):
        result = forecast(stocks(), hierarchy, made_up_drivers(WEEKS), is_stock)
        assert np.abs(hierarchy.sums(result.mean[:, hierarchy.level == "branch_family"]) - result.mean).max() < 1e-6
        inner, outer = result.half_width
        assert (inner > 0).all() and (inner < outer).all()
        is_wider = (np.diff(result.half_width, axis=1) > -0.02).all()  # farther ahead, but for cents
        assert is_wider or not is_stock
    again = forecast(stocks(), hierarchy, made_up_drivers(WEEKS), is_stock)
    assert (again.mean == result.mean).all() and (again.half_width == result.half_width).all()
    assert again.accuracy == result.accuracy


def test_the_course_of_the_month_is_learned_and_accuracy_says_what_it_is_worth(hierarchy: Hierarchy) -> None:
    result = forecast(stocks(), hierarchy, made_up_drivers(WEEKS), is_stock=True)
    assert [(row.level, row.first_week, row.last_week) for row in result.accuracy] == [
        (level, *group) for group in GROUPS for level in LEVELS
    ]
    for row in result.accuracy:
        assert (row.candidate, row.model, row.baseline) == ("regression", "regression", "seasonal_naive")
        assert row.mae.low <= row.mae.value <= row.mae.high < row.baseline_mae and row.mae.value < row.naive_mae
        assert 0 < row.skill.low <= row.skill.value <= row.skill.high < 1
        assert row.origin_count == row.interval_origin_count == WEEKS - row.last_week - 52
        inside_80, inside_95 = row.coverage
        assert inside_80.low <= inside_80.value <= inside_80.high and inside_80.value <= inside_95.value
    inside = np.array([[interval.value for interval in row.coverage] for row in result.accuracy]).mean(axis=0)
    assert abs(inside[0] - 0.80) < 0.1 and inside[1] > 0.9


def test_the_baseline_is_published_where_nothing_beats_it(hierarchy: Hierarchy) -> None:
    """A season repeats at the bank; its branches are not what they were a year ago, but steady."""
    random = np.random.default_rng(4)
    season = np.tile(random.uniform(0.5, 1.5, 52), 3)[: WEEKS + 26, None]
    moves = 3 * np.cumsum(random.normal(size=(WEEKS + 26, 3)), axis=0)
    series = 10 * season + np.hstack([moves, -moves])[:, [0, 3, 1, 4, 2, 5]] + random.normal(100, 0.1, (WEEKS + 26, 6))
    result = forecast(series * 1e4, hierarchy, made_up_drivers(WEEKS + 26), is_stock=False)
    of_bank = [row for row in result.accuracy if row.level == "bank"]
    assert {row.model for row in of_bank} == {"seasonal_naive"}
    of_series = [row for row in result.accuracy if row.level == "branch_family"]
    assert "seasonal_naive" not in {row.model for row in of_series}
    for row in result.accuracy:
        assert row.skill.value > 0 or row.model == row.baseline
        replaced = result.models[row.first_week - 1] == "seasonal_naive"
        if row.model == "seasonal_naive":
            assert row.mae.value == pytest.approx(row.baseline_mae)
        gap = np.abs(result.mean - result.baseline)[row.first_week - 1 : row.last_week, replaced]
        assert gap.max(initial=0) < 0.05  # cents, of six series
    assert np.abs(hierarchy.sums(result.mean[:, hierarchy.level == "branch_family"]) - result.mean).max() < 1e-6


def test_last_year_is_used_where_it_is_better(hierarchy: Hierarchy) -> None:
    random = np.random.default_rng(1)
    year = random.uniform(1, 2, (52, 6))
    result = forecast(np.vstack([year, year]) * 1e5, hierarchy, made_up_drivers(WEEKS), is_stock=False)
    assert {row.model for row in result.accuracy} == set(result.models.ravel()) == {"seasonal_naive"}
    assert result.mean == pytest.approx(hierarchy.sums(year[:HORIZON] * 1e5), abs=0.1)


def test_an_origin_that_judges_is_forecast_from_what_was_known_then(hierarchy: Hierarchy) -> None:
    series, earlier = stocks(), WEEKS - 20
    paths = []
    for weeks in (WEEKS, earlier):
        backtest = backtest_of(hierarchy.sums(series[:weeks]), hierarchy, made_up_drivers(weeks), True)
        paths.append(contender_of(backtest, slice(4, 8))[1])
    assert (paths[0][: len(paths[1])] == paths[1]).all()


def test_a_short_history_falls_back_and_a_shorter_one_abstains(hierarchy: Hierarchy) -> None:
    for weeks in (26, 45):
        result = forecast(stocks(weeks), hierarchy, made_up_drivers(weeks), is_stock=True)
        assert result.baseline_name == "naive" and np.isfinite(result.mean).all()
        farthest = [row for row in result.accuracy if row.last_week == HORIZON]
        assert all(row.interval_origin_count < 13 for row in farthest)
    with pytest.raises(CannotForecast, match="25 whole weeks"):
        forecast(stocks(25), hierarchy, made_up_drivers(25), is_stock=True)


def test_events_of_the_calendar_are_learned_and_foreseen(hierarchy: Hierarchy) -> None:
    """Much leaves before each Spring Festival, and on pay days; the next festival comes 5 weeks after the history."""
    weeks = 106
    calendar = calendar_of(weeks).iloc[: 7 * (weeks + HORIZON)]
    before = calendar["days_to_spring_festival"].between(1, 14).to_numpy().reshape(-1, 7).mean(axis=1)
    paid = calendar["is_pay_day"].to_numpy().reshape(-1, 7).sum(axis=1)
    random = np.random.default_rng(6)
    expected = 1e5 * (1 + 3 * before + 0.5 * paid)[:, None]
    series = expected[:weeks] * (1 + 0.05 * random.normal(size=(weeks, 6)))
    result = forecast(series, hierarchy, made_up_drivers(weeks), is_stock=False)
    assert {row.model for row in result.accuracy if row.level == "bank"} == {"regression"}
    assert min(skills(result, "bank")) > 0
    coming, bank = 6 * expected[weeks:, 0], result.mean[:, 0]
    assert before[weeks:].max() == 1 and np.corrcoef(coming, bank)[0, 1] > 0.9
    at = int(before[weeks:].argmax())
    assert abs(bank[at] / coming[at] - 1) < 0.25 < abs(result.baseline[at, 0] / coming[at] - 1)


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
