"""Who does nothing for months: accounts that sleep because the daily business is elsewhere, and customers who died."""

from dataclasses import dataclass

import numpy as np

from simulator.draws import Draws
from simulator.people import People
from simulator.timeline import Timeline

_NEVER = 10_000
_YEARLY_MORTALITY, _PER_YEAR_OF_AGE = 0.0011, 0.092
"""At the age of 40, and by what its logarithm grows with each year of age (Gompertz)."""
_HEIRS = (2, 7)
"""Least and most months after which the heirs close the accounts."""
_SLEEP = (60, 80)
"""Least and most months for which an account sleeps."""


@dataclass(frozen=True)
class Lives:
    """Months of a chunk of customers, one entry per customer."""

    sleeps: np.ndarray  # first month of the sleep, and the first one after it
    wakes: np.ndarray
    dies: np.ndarray
    settled: np.ndarray  # month in which the heirs close the accounts

    @classmethod
    def of(cls, draws: Draws, people: People, timeline: Timeline) -> "Lives":
        """Drawn once: nothing that a customer does changes it."""
        index = people.index
        length = _SLEEP[0] + draws.integers(_SLEEP[1] - _SLEEP[0], "sleep", index)
        # As many fall asleep as wake: half of the sleepers are asleep at any time.
        sleeps = np.where(people.is_sleeper, draws.integers(2 * sum(_SLEEP) // 2, "falls asleep", index), _NEVER)
        sleeps = np.where(people.is_sleeper, sleeps - _SLEEP[1], _NEVER)
        age = (timeline.first - people.birth) / 365.25
        monthly = np.minimum(_YEARLY_MORTALITY * np.exp(_PER_YEAR_OF_AGE * (age - 40)) / 12, 0.05)
        dies = np.floor(np.log(draws.uniform("death", index)) / np.log1p(-monthly)).astype(np.int64)
        mortal = ~people.is_enterprise & ~people.is_duplicate & ~people.is_rich & (dies > people.opened_month)
        dies = np.where(mortal, np.minimum(dies, _NEVER), _NEVER)
        heirs = _HEIRS[0] + draws.integers(_HEIRS[1] - _HEIRS[0] + 1, "heirs", index)
        return cls(sleeps, sleeps + length, dies, dies + heirs)

    def is_dead(self, month: int) -> np.ndarray:
        """True from the first day of the month of the death on."""
        return self.dies <= month

    def is_asleep(self, month: int) -> np.ndarray:
        return (self.sleeps <= month) & (month < self.wakes)

    def is_idle(self, month: int) -> np.ndarray:
        """Asleep or dead: nothing is done that the bank, or a standing order, does not do."""
        return self.is_asleep(month) | self.is_dead(month)

    def is_settled(self, month: int) -> np.ndarray:
        """True where the heirs close the accounts now, or would have done so before."""
        return self.settled <= month
