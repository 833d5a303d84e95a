"""Days as integers since 1970-01-01, the months of the history, and the delivery periods."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from lakehouse.errors import Stop

DAY = 86_400
SHANGHAI = 8 * 3_600
_EPOCH = date(1970, 1, 1)


def to_day(value: date) -> int:
    """Days since 1970."""
    return (value - _EPOCH).days


def to_date(day: int | np.integer) -> date:
    """The date of a number of days since 1970."""
    return _EPOCH + timedelta(days=int(day))


@dataclass(frozen=True)
class Month:
    """A calendar month that is simulated whole, even where deliveries end within it."""

    index: int
    first: int
    last: int  # inclusive

    @property
    def length(self) -> int:
        return self.last - self.first + 1

    @property
    def number(self) -> int:
        """1 January to 12 December."""
        return to_date(self.first).month


@dataclass(frozen=True)
class Period:
    """What one delivery of a feed covers."""

    name: str
    load: str  # "initial", "daily"
    last: int  # cut-off day


@dataclass(frozen=True)
class Timeline:
    """The simulated time: whole months of history, then single days."""

    months: tuple[Month, ...]
    periods: tuple[Period, ...]
    history_months: int
    period_of_day: np.ndarray  # index into periods, by day - first

    @property
    def first(self) -> int:
        return self.months[0].first

    @property
    def last(self) -> int:
        """Last day delivered."""
        return self.periods[-1].last

    @property
    def as_of_days(self) -> list[int]:
        """Month-ends of the history, and every day of the daily part."""
        return [period.last for period in self.periods]

    @classmethod
    def of(cls, start: date, months: int, days: int) -> "Timeline":
        """``months`` whole months from ``start`` (the first of a month), then ``days`` days.

        Raises
        ------
        Stop
            If ``start`` is not the first of a month, or there is no month.
        """
        if start.day != 1 or months < 1 or days < 0:
            raise Stop("start must be the first of a month, months at least 1, days at least 0")
        calendar = []
        month_start = start
        while len(calendar) < months or to_day(month_start) <= calendar[months - 1].last + days:
            following = (month_start + timedelta(days=32)).replace(day=1)
            calendar.append(Month(len(calendar), to_day(month_start), to_day(following) - 1))
            month_start = following
        end_of_history = calendar[months - 1].last
        periods = [Period(f"{to_date(month.first):%Y-%m}", "initial", month.last) for month in calendar[:months]]
        periods += [Period(str(to_date(end_of_history + n)), "daily", end_of_history + n) for n in range(1, days + 1)]
        of_day = np.concatenate(
            [np.repeat(np.arange(months), [month.length for month in calendar[:months]]), months + np.arange(days)]
        )
        return cls(tuple(calendar), tuple(periods), months, of_day)
