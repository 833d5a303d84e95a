"""Change-points of assets, by ruptures: the month-ends from which on a customer's assets have another level."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from math import sqrt
from pathlib import Path
from statistics import fmean, median

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from ruptures import KernelCPD

from lakehouse import warehouse
from lakehouse.catalog import CHANGE_POINTS
from lakehouse.lake import Pin, appearing, pinned_path
from lakehouse.settings import Settings

LOOK_BACK = timedelta(days=731)  # bounded, so that a longer history costs no more
LEAST_MONTHS = 5  # with fewer, no level can be called usual
PENALTY = 9.0  # in squared noise: a month-end three standard deviations away is a level of one month
LEAST_NOISE_RATE = 0.05  # of the average assets
HELD_MONTHS = 2  # from this length on a level is usual

_ASSETS = """
    select customer_key, as_of_date, cast(aum_amount as double precision) as amount
    from build_marts.customer_360_monthly
    where as_of_date > $1
    order by customer_key, as_of_date
"""


@dataclass(frozen=True)
class ChangePoint:
    """Where in a series a level begins, the level, and the usual one before."""

    place: int
    usual: float
    level: float


def write_change_points(settings: Settings, pin: Pin) -> Path:
    """Write the change-points of ``marts.customer_360_monthly``, built from ``pin``; returns the lake file.

    A file that is already in the lake is kept.
    """
    path = pinned_path(settings.lake, CHANGE_POINTS.name, pin)
    if not path.exists():
        assets = warehouse.query(settings, _ASSETS, [pin.business_date - LOOK_BACK])
        with appearing(path) as temporary:
            pq.write_table(change_point_table(assets), temporary, compression="zstd")
    return path


def change_point_table(assets: pa.Table) -> pa.Table:
    """Change-points of every customer.

    Parameters
    ----------
    assets : pyarrow.Table
        ``customer_key``, ``as_of_date``, ``amount`` (double): month-ends, by customer and date.

    Returns
    -------
    pyarrow.Table
        Of ``CHANGE_POINTS``, in the order of ``assets``.
    """
    keys, dates, amounts = (assets[name].combine_chunks() for name in ("customer_key", "as_of_date", "amount"))
    values, codes = amounts.to_numpy(), keys.dictionary_encode().indices.to_numpy()
    starts = np.flatnonzero(np.diff(codes, prepend=-1))
    points = [
        (start + point.place, point)
        for start, series in zip(starts, np.split(values, starts[1:]), strict=False)
        for point in change_points(series.tolist())
    ]
    places = pa.array([place for place, _ in points], pa.int64())
    usual, level = ([_cents(getattr(point, name)) for _, point in points] for name in ("usual", "level"))
    return pa.table([keys.take(places), dates.take(places), usual, level], schema=CHANGE_POINTS.arrow_schema)


def change_points(values: list[float]) -> list[ChangePoint]:
    """The levels of a series after the first usual one.

    A level after one that was never usual, such as a single windfall, is compared with the usual one before it.

    >>> change_points([100.0, 102.0, 98.0, 100.0, 101.0, 40.0])
    [ChangePoint(place=5, usual=100.2, level=40.0)]
    """
    if len(values) < LEAST_MONTHS or not any(values):
        return []
    points, usual, start = [], None, 0
    for end in level_ends(values):
        level = fmean(values[start:end])
        if usual is not None:
            points.append(ChangePoint(start, usual, level))
        if end - start >= HELD_MONTHS:
            usual = level
        start = end
    return points


def level_ends(values: list[float]) -> list[int]:
    """Where the levels of a series end, by least squares with a penalty for each (ruptures' KernelCPD, which is exact).

    Noise is measured robustly, by the median deviation of the steps from one value to the next, so that neither a trend
    nor a change of level counts as noise.

    Parameters
    ----------
    values : list of float
        One value per month, not all of them 0; a list, since NumPy takes twice the time for so short a series.
    """
    scaled = np.array(values).reshape(-1, 1) / noise(values)
    # pyrefly: ignore[bad-assignment]  # ruptures leaves the type to be guessed
    ends: list[np.integer] = KernelCPD("linear", min_size=1, jump=1).fit(scaled).predict(pen=PENALTY)
    return [int(end) for end in ends]


def noise(values: list[float]) -> float:
    """Standard deviation of a series around its levels."""
    steps = [after - before for before, after in pairwise(values)]
    usual = median(steps)
    robust = 1.4826 * median(abs(step - usual) for step in steps) / sqrt(2)
    return max(robust, LEAST_NOISE_RATE * fmean(map(abs, values)))


def _cents(amount: float) -> Decimal:
    return Decimal(f"{amount:.2f}")
