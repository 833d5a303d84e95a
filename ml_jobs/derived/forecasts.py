"""The forecasts of a business date: read from the build engine, kept in the lake once per content of the history."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from lakehouse import lake, warehouse
from lakehouse.catalog import FORECAST_ACCURACY, FORECAST_BALANCES
from lakehouse.lake import Pin
from lakehouse.settings import Settings
from ml_jobs.errors import CannotScore
from ml_jobs.inventory import require_entry
from ml_jobs.learning.candidates import HORIZON, Drivers
from ml_jobs.learning.forecasting import CannotForecast, Forecast, forecast
from ml_jobs.learning.hierarchy import Hierarchy

MODEL = "forecast_balances"  # in the inventory
WEEKS = 156  # of history, at most
MEASURES = {"deposit": True, "investment": True, "outflow": False}  # whether it is a stock
RATES = ("mmf_yield", "deposit_1y")
MONTH_TURN_DAYS = 3  # of the end of a month or quarter
FESTIVAL_WEEKS = range(-2, 4)  # weeks until the one that begins with the Spring Festival
COUNTED = ("holiday", "pay_day")  # drivers that move a stock while they last, not by how it stands on a Sunday

_SERIES = """
    select measure, branch_code, product_family, week_end_date, cast(amount * 100 as bigint) as cents
    from {marts}.balance_series_weekly
    where week_end_date > $1 and week_end_date <= $2
    order by measure, branch_code, product_family, week_end_date
"""
_CALENDAR = """
    select date_day, is_holiday, is_pay_day, is_month_end, is_quarter_end, days_to_spring_festival
    from {marts}.dim_date
    where date_day > $1 and date_day <= $2
    order by date_day
"""
_RATES = """
    select rate_code, rate_date, cast(rate * 100 as double precision) as rate
    from {marts}.fct_market_rates
    where rate_date <= $1
    order by rate_code, rate_date
"""


@dataclass(frozen=True)
class History:
    """Whole weeks of every series up to a date, with what drives them."""

    week_ends: np.ndarray  # (weeks,) datetime64[D], Sundays
    series: dict[str, pd.DataFrame]  # measure to amounts: a row per week, a column per (branch, family)
    drivers: Drivers
    digest: str

    @property
    def as_of_date(self) -> date:
        return self.week_ends[-1].item()


def write_forecasts(settings: Settings, pin: Pin) -> dict[str, str]:
    """Forecast from the last whole week that ended by the pin's date; the build engine must be built from the pin.

    A history that was already forecast keeps its forecast, so the other days of a week cost nothing.

    Returns
    -------
    dict of str to str
        ``forecast``, a folder under ``forecasts/`` in the lake, or ``reason``, why there is none.
    """
    path = lake.known_path(settings.lake, lake.FORECASTS, pin)
    if not path.exists():
        lake.write_json(path, _forecast(settings, pin.business_date))
    return json.loads(path.read_text())


def read_history(query: Callable[[str, Sequence[object]], pa.Table], marts: str, business_date: date) -> History:
    """The weeks up to ``business_date``, of the build engine or of the serving store.

    Parameters
    ----------
    query : function of SQL and parameters
        ``warehouse.query`` or ``warehouse.query_serving``, bound to settings.
    marts : str
        The schema of the marts there.

    Raises
    ------
    CannotForecast
        If there is no whole week.
    """
    last = business_date - timedelta(days=(business_date.weekday() + 1) % 7)
    first = last - timedelta(weeks=WEEKS)
    rows = query(_SERIES.format(marts=marts), (first, last)).to_pandas()
    if rows.empty:
        raise CannotForecast(f"no balance or outflow is known in a whole week up to {business_date}")
    week_ends = pd.date_range(rows["week_end_date"].min(), last, freq="7D")
    days = query(_CALENDAR.format(marts=marts), (week_ends[0] - timedelta(days=7), last + HORIZON * timedelta(7)))
    rates = query(_RATES.format(marts=marts), (last,)).to_pandas()
    wide = rows.pivot(index=["measure", "branch_code", "product_family"], columns="week_end_date", values="cents")
    wide = wide.fillna(0).T.sort_index(axis=1)
    wide.index = pd.DatetimeIndex(wide.index)
    wide = wide.reindex(week_ends, fill_value=0)
    calendar = days.to_pandas()
    digest = hashlib.sha256()
    for frame in (rows, calendar, rates):
        digest.update(frame.to_csv(index=False).encode())
    return History(
        week_ends.to_numpy().astype("datetime64[D]"),
        {measure: wide[measure] / 100 for measure in MEASURES if measure in wide},
        drivers_of(calendar, rates, week_ends),
        digest.hexdigest()[:12],
    )


def _forecast(settings: Settings, business_date: date) -> dict[str, str]:
    try:
        require_entry(MODEL)
        with warehouse.reading(settings):
            history = read_history(partial(warehouse.query, settings), "build_marts", business_date)
        folder = settings.lake / lake.FORECASTS / f"{history.as_of_date}-{history.digest}"
        if not folder.exists():
            _write(folder, history)
    except (CannotForecast, CannotScore) as reason:
        return {"reason": str(reason)}
    return {"forecast": folder.name}


def _write(folder: Path, history: History) -> None:
    balances, accuracy = [], []
    for measure, wide in history.series.items():
        branches, families = (
            wide.columns.get_level_values(name).to_numpy(str) for name in ("branch_code", "product_family")
        )
        ahead = forecast(wide.to_numpy(), Hierarchy.of(branches, families), history.drivers, MEASURES[measure])
        balances.append(_balances(measure, history.as_of_date, ahead))
        accuracy.append(_accuracy(measure, history.as_of_date, ahead))
    with lake.appearing_folder(folder) as temporary:
        for name, relation, parts in (
            ("balances", FORECAST_BALANCES, balances),
            ("accuracy", FORECAST_ACCURACY, accuracy),
        ):
            pq.write_table(
                pa.Table.from_pandas(pd.concat(parts), relation.arrow_schema, preserve_index=False),
                temporary / f"{name}.parquet",
                compression="zstd",
            )


def _balances(measure: str, as_of_date: date, ahead: Forecast) -> pd.DataFrame:
    hierarchy, (horizon, nodes) = ahead.hierarchy, ahead.mean.shape
    weeks = np.repeat(np.arange(1, horizon + 1), nodes)
    (inner, outer), mean = ahead.half_width, ahead.mean
    columns = {
        "measure": measure,
        "level": np.tile(hierarchy.level, horizon),
        "branch_code": np.tile(hierarchy.branch, horizon),
        "product_family": np.tile(hierarchy.family, horizon),
        "as_of_date": as_of_date,
        "horizon_weeks": weeks,
        "week_end_date": [as_of_date + timedelta(weeks=int(week)) for week in weeks],
        "mean_amount": mean.ravel(),
        "lower_80_amount": np.maximum(mean - inner, ahead.lowest).ravel(),
        "upper_80_amount": (mean + inner).ravel(),
        "lower_95_amount": np.maximum(mean - outer, ahead.lowest).ravel(),
        "upper_95_amount": (mean + outer).ravel(),
        "baseline_amount": ahead.baseline.ravel(),
        "model": ahead.models.ravel(),
        "baseline": ahead.baseline_name,
    }
    return pd.DataFrame(columns)


def _accuracy(measure: str, as_of_date: date, ahead: Forecast) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "measure": measure,
            "level": row.level,
            "as_of_date": as_of_date,
            "first_horizon_weeks": row.first_week,
            "last_horizon_weeks": row.last_week,
            "series_count": row.series_count,
            "origin_count": row.origin_count,
            "candidate": row.candidate,
            "model": row.model,
            "baseline": row.baseline,
            "mae_amount": row.mae.value,
            "mae_low_amount": row.mae.low,
            "mae_high_amount": row.mae.high,
            "mase": row.mase,
            "baseline_mae_amount": row.baseline_mae,
            "naive_mae_amount": row.naive_mae,
            "skill": row.skill.value,
            "skill_low": row.skill.low,
            "skill_high": row.skill.high,
            "interval_origin_count": row.interval_origin_count,
            "coverage_80": row.coverage[0].value,
            "coverage_80_low": row.coverage[0].low,
            "coverage_80_high": row.coverage[0].high,
            "coverage_95": row.coverage[1].value,
        }
        for row in ahead.accuracy
    )


def drivers_of(calendar: pd.DataFrame, rates: pd.DataFrame, week_ends: pd.DatetimeIndex) -> Drivers:
    """Drivers of the series: the day of the month and of the year, events of the calendar, and rates in per cent.

    Parameters
    ----------
    calendar : DataFrame with date_day, is_holiday, is_pay_day, is_month_end, is_quarter_end, days_to_spring_festival
        Every day from the Monday of the first week to the end of the last week ahead.
    rates : DataFrame with rate_code, rate_date, rate
        A rate is valid until the next.
    """
    days = pd.to_datetime(calendar["date_day"])
    columns = {}
    for turns in (1, 2, 3):
        angle = 2 * np.pi * turns * (days.dt.day - 1) / days.dt.days_in_month
        columns |= {f"month_sin_{turns}": np.sin(angle), f"month_cos_{turns}": np.cos(angle)}
    angle = 2 * np.pi * (days.dt.day_of_year - 1) / 365.25
    weeks_to_festival = np.ceil(calendar["days_to_spring_festival"].astype(float) / 7)
    columns |= {
        "year_sin": np.sin(angle),
        "year_cos": np.cos(angle),
        "holiday": calendar["is_holiday"],
        "pay_day": calendar["is_pay_day"],
        **{name: _last_days(calendar[f"is_{name}"]) for name in ("month_end", "quarter_end")},
        **{f"spring_festival_in_{week}": weeks_to_festival == week for week in FESTIVAL_WEEKS},
    }
    daily = pd.DataFrame(columns).to_numpy(dtype=float).reshape(-1, 7, len(columns))
    by_date = rates.pivot(index="rate_date", columns="rate_code", values="rate").reindex(columns=RATES)
    by_date.index = pd.DatetimeIndex(by_date.index)
    known = by_date.ffill().reindex(week_ends, method="ffill").bfill().fillna(0)
    on_sunday, mean = daily[:, -1], daily.mean(axis=1)
    moves = np.diff(on_sunday, axis=0, prepend=on_sunday[:1])
    stock = np.where(np.isin(list(columns), COUNTED), mean, moves)
    return Drivers((*columns, *RATES), stock, mean, known.to_numpy())


def _last_days(is_last: pd.Series) -> pd.Series:
    """Of days that end a month, those that lead up to them, too."""
    return is_last[::-1].rolling(MONTH_TURN_DAYS, min_periods=1).max()[::-1]
