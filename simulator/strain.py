"""Trouble before it shows: pay that stops, enterprises that falter, main payers that are lost; and how it spreads.

Whoever depends on a payer in trouble gets their own a few months later: an enterprise in trouble pays suppliers less
and late, wages as well and then not at all; a guarantor who was called has less for their own instalments.
"""

from dataclasses import dataclass

import numpy as np

from simulator.draws import Draws
from simulator.moods import Moods
from simulator.people import People

_LONG_AGO = -99
PAY_STOPS, FALTERS, PAYER_LEAVES = (2, 6), (4, 9), (4, 10)
"""Least and most months without pay, of an enterprise's trouble, and until another main payer is found."""
MONTHS_OF_WAGES = 2
"""Months for which an enterprise in trouble still pays wages, less and late."""
TROUBLE_LOGIT, EMPLOYER_LOGIT, CALLED_LOGIT = 1.8, 1.2, 1.2
"""Added to the logit of arrears: in trouble, with an employer in trouble, and as a guarantor who was called."""
LOST_LOGIT, BUYERS_LOGIT = 2.0, 3.5
"""Added to an enterprise's logit of trouble after the loss of the main payer, and per share of buyers in trouble."""
CONTAGION = 3
"""Months for which what happened to a payer works on."""
_PAYER_LEAVES = 0.012  # chance in a month


@dataclass
class Strain:
    """The trouble of a chunk of customers, one entry per customer; months."""

    people: People
    draws: Draws
    since: np.ndarray  # first month of the last trouble, and the first one after it
    until: np.ndarray
    lost_since: np.ndarray  # the same of an enterprise's main payer
    lost_until: np.ndarray
    called: np.ndarray  # last month in which a guarantor had to pay
    changes: np.ndarray  # how often another payer (employer, main payer) took the place of the one before

    @classmethod
    def of(cls, draws: Draws, people: People, moods: Moods, is_open: np.ndarray) -> "Strain":
        """The state before the first month, in which some are in trouble already."""
        never, nothing = np.full(len(people), _LONG_AGO), np.zeros(len(people), np.int64)
        strain = cls(people, draws, never, never.copy(), never.copy(), never.copy(), never.copy(), nothing)
        for month in range(-FALTERS[1], 0):
            strain.advance(month, moods, is_open)
        return strain

    def advance(self, month: int, moods: Moods, active: np.ndarray) -> dict[str, np.ndarray]:
        """Whose pay stops, which enterprise falters or loses its main payer: positions by name of the event."""
        people, draws, index = self.people, self.draws, self.people.index
        firm = people.is_enterprise
        free = active & (self.until < month)
        chance = np.where(firm, moods.hazard("trouble", self.contagion(month)), moods.hazard("stop"))
        begins = free & (firm | (people.earns == 1)) & (draws.uniform("trouble", index, month) < chance)
        low, high = np.where(firm, FALTERS[0], PAY_STOPS[0]), np.where(firm, FALTERS[1], PAY_STOPS[1])
        until = month + low + draws.integers(high - low + 1, "trouble lasts", index, month)
        employer = self._employer
        dry = free & ~begins & (people.employer >= 0) & (people.earns == 1) & self.is_troubled(month)[employer]
        dry &= month - self.since[employer] >= MONTHS_OF_WAGES
        until = np.where(dry, self.until[employer], until)
        begins |= dry
        loses = active & firm & (self.lost_until < month)
        loses &= draws.uniform("main payer leaves", index, month) < _PAYER_LEAVES
        back = month + PAYER_LEAVES[0]
        back = back + draws.integers(PAYER_LEAVES[1] - PAYER_LEAVES[0] + 1, "payer found", index, month)
        self.since, self.until = np.where(begins, month, self.since), np.where(begins, until, self.until)
        self.lost_since = np.where(loses, month, self.lost_since)
        self.lost_until = np.where(loses, back, self.lost_until)
        self.changes = self.changes + np.where(firm, loses, begins & ~dry)
        return {
            "pay_stop": np.flatnonzero(begins & ~firm),
            "trouble": np.flatnonzero(begins & firm),
            "payer_lost": np.flatnonzero(loses),
        }

    @property
    def _employer(self) -> np.ndarray:
        """Position of the employer inside the bank; 0 without."""
        return np.where(self.people.employer >= 0, self.people.employer - self.people.index[0], 0)

    def is_troubled(self, month: int) -> np.ndarray:
        return (self.since <= month) & (month < self.until)

    def is_lost(self, month: int) -> np.ndarray:
        """True where the main payer pays nothing."""
        return (self.lost_since <= month) & (month < self.lost_until)

    def is_employer_troubled(self, month: int) -> np.ndarray:
        people = self.people
        return (people.employer >= 0) & (people.earns == 1) & self.is_troubled(month)[self._employer]

    def contagion(self, month: int) -> np.ndarray:
        """What payers add to the logit of an enterprise's trouble in the month."""
        lost = (self.lost_since < month) & (month <= self.lost_since + CONTAGION)
        pays_less = (self.since < month) & (month <= np.minimum(self.until, self.since + CONTAGION + 2))
        return LOST_LOGIT * lost + BUYERS_LOGIT * self.people.share_bought(pays_less)

    def strikes(self, month: int) -> np.ndarray:
        """What the trouble adds to the logit of arrears in the month."""
        own = (self.since < month) & (month <= self.until)
        employer = (self.people.employer >= 0) & (self.people.earns == 1) & own[self._employer]
        called = (self.called < month) & (month <= self.called + CONTAGION)
        return np.maximum(TROUBLE_LOGIT * own, np.maximum(EMPLOYER_LOGIT * employer, CALLED_LOGIT * called))

    def next_trouble(self, month: int, moods: Moods) -> np.ndarray:
        """Probability, as seen in the ``month``, of trouble that begins in the next one."""
        people = self.people
        firm = people.is_enterprise
        (stop,), (trouble,) = moods.ahead("stop", [0.0]), moods.ahead("trouble", [self.contagion(month + 1)])
        begins = np.where(firm, trouble, np.where(people.earns == 1, stop, 0.0))
        return np.where(self.until < month + 1, begins, 0.0)

    def months_left(self, month: int) -> np.ndarray:
        """Months of the trouble after the present one, at most three."""
        return np.clip(np.where(self.is_troubled(month), self.until - 1 - month, 0), 0, 3)
