"""On which day of a month something happens: week, month-end, pay days, public holidays, Spring Festival."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from simulator.reference import holidays
from simulator.timeline import Month

_FESTIVAL = "春节"
EVE = 20
"""Days before Spring Festival in which people draw cash, and firms pay bonuses."""
_CLOSED = 3  # first days of Spring Festival on which every branch is closed


@dataclass(frozen=True)
class Season:
    """A month's days: every array has one entry per day."""

    month: Month
    is_working: np.ndarray
    is_holiday: np.ndarray
    is_eve: np.ndarray  # in the days before Spring Festival
    is_closed: np.ndarray  # no branch opens

    @property
    def is_weekend(self) -> np.ndarray:
        return ~self.is_working & ~self.is_holiday

    @property
    def rush(self) -> float:
        """Share of the month that lies in the days before Spring Festival."""
        return float(self.is_eve.mean())

    @property
    def has_bonus(self) -> bool:
        """Whether most of the year-end bonuses are paid in this month."""
        return bool(self.is_eve[EVE // 2 :].any() and self.is_eve.sum() > EVE // 2)

    def day(self, of: str, moment: np.ndarray) -> np.ndarray:
        """The day of each ``moment`` (0 to 1, a share of the month's business of the kind ``of``)."""
        place = np.searchsorted(self.shares(of), moment, side="right")
        return self.month.first + np.minimum(place, self.month.length - 1)

    def shares(self, of: str) -> np.ndarray:
        """The share of the month's business of the kind ``of`` that is done by the end of each day."""
        weight = np.cumsum(self._weight(of))
        return np.asarray(weight / weight[-1])

    def _weight(self, of: str) -> np.ndarray:
        """How much of a kind of business falls on each day."""
        last_days = np.arange(self.month.length) >= self.month.length - 3
        match of:
            case "branch":  # little at the week-end, nothing at the height of the festival
                weight = np.where(self.is_working, 1.0, np.where(self.is_holiday, 0.1, 0.3))
                return np.where(self.is_closed, 0.0, weight * np.where(self.is_eve, 1.4, 1.0))
            case "office":  # what the bank's people do
                return np.where(self.is_working, 1.0, 0.02)
            case "shop":  # more at the week-end, on holidays and at the end of the month
                weight = np.where(self.is_holiday, 1.3, np.where(self.is_weekend, 1.25, 1.0))
                return weight * np.where(last_days, 1.15, 1.0)
            case "cash":  # before Spring Festival
                return np.where(self.is_eve, 2.5, 1.0)
            case "online":  # less at the week-end, more on the usual pay days
                is_payday = np.isin(np.arange(1, self.month.length + 1), (5, 10, 15))
                return np.where(self.is_working, 1.0, 0.88) * np.where(is_payday, 1.2, 1.0)
            case "firm":  # on working days, and before the month ends
                return np.where(self.is_working, 1.0, 0.15) * np.where(last_days, 1.5, 1.0)
        raise ValueError(of)

    def working_day_before(self, day: np.ndarray) -> np.ndarray:
        """The last working day up to each ``day``, the first of the month where there is none."""
        days = np.arange(self.month.length)
        last = np.maximum.accumulate(np.where(self.is_working, days, -1))
        place = np.clip(day - self.month.first, 0, self.month.length - 1)
        return self.month.first + np.where(last[place] < 0, place, last[place])


@cache
def season(month: Month) -> Season:
    """The month's days, by the calendar of public holidays."""
    days, name, is_workday = holidays()
    month_days = np.arange(month.first, month.last + 1)
    is_weekday = (month_days + 3) % 7 < 5  # 1970-01-01 was a Thursday
    is_off = np.isin(month_days, days[~is_workday])
    festival = days[np.array(name.table)[name.codes] == _FESTIVAL]
    starts = festival[~np.isin(festival - 1, festival)]
    ahead = (starts[:, None] - month_days[None, :]) if len(starts) else np.zeros((1, month.length))
    return Season(
        month,
        is_working=(is_weekday | np.isin(month_days, days[is_workday])) & ~is_off,
        is_holiday=is_off,
        is_eve=np.asarray(((ahead >= 1) & (ahead <= EVE)).any(axis=0)),
        is_closed=((ahead <= 0) & (ahead > -_CLOSED)).any(axis=0) & is_off,
    )
