"""What everybody needs to know to act in one month."""

from dataclasses import dataclass, field

import numpy as np

from simulator.deliveries import Deliveries
from simulator.draws import Draws
from simulator.ledger import Ledger
from simulator.moods import Moods
from simulator.people import People
from simulator.seasons import Season, season
from simulator.strain import Strain
from simulator.timeline import Month, Timeline


@dataclass(frozen=True)
class Offers:
    """A sales campaign: one entry per target, of both arms."""

    who: np.ndarray  # positions of customers
    number: np.ndarray  # of the touch
    day: np.ndarray
    is_control: np.ndarray
    product: int

    @property
    def heard(self) -> tuple[np.ndarray, np.ndarray]:
        """Positions and days of those who were told."""
        return self.who[~self.is_control], self.day[~self.is_control]


@dataclass(frozen=True)
class Turn:
    """One month of one chunk of customers; arrays have one entry per customer."""

    timeline: Timeline
    month: Month
    draws: Draws
    people: People
    moods: Moods
    strain: Strain
    offers: Offers
    appeal: float  # of outside yields: about -1 to 1
    deliveries: Deliveries
    ledger: Ledger
    opens: np.ndarray  # becomes a customer this month
    leaves: np.ndarray  # closes all accounts this month
    follows: np.ndarray  # whose manager has left lately
    dies: np.ndarray
    idle: np.ndarray  # does nothing: asleep or dead
    active: np.ndarray  # a customer during the whole month, and not idle
    since: np.ndarray  # first and last day on which the customer acts as usual
    until: np.ndarray
    planted: list[tuple[str, np.ndarray, np.ndarray, np.ndarray]] = field(default_factory=list)
    bought: list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]] = field(default_factory=list)

    @property
    def season(self) -> Season:
        """The month's working days and holidays."""
        return season(self.month)

    @property
    def is_online(self) -> np.ndarray:
        """Who has registered online before the month."""
        return self.people.is_online & (self.people.registered < self.month.first)

    def buy(self, who: np.ndarray, day: np.ndarray, product: np.ndarray, at_counter: np.ndarray) -> None:
        """Note products bought: positions, days, products, and whether at the branch."""
        self.bought.append((who, day, product, at_counter))

    def plant(self, kind: str, who: np.ndarray, day: np.ndarray, cents: np.ndarray) -> None:
        """Note large movements for the truth: their kind, and positions, days and cents."""
        self.planted.append((kind, who, day, cents))

    def uniform(self, stream: str, who: np.ndarray | slice = slice(None), *keys: np.ndarray | int) -> np.ndarray:
        """A uniform draw of this month for each of the positions ``who``."""
        return self.draws.uniform(stream, self.people.index[who], self.month.index, *keys)

    def several(self, stream: str, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(position, number) of Poisson many occurrences per customer this month, ordered by position."""
        counts = self.draws.poisson(mean, stream, self.people.index, self.month.index)
        who = np.repeat(np.arange(len(counts)), counts)
        return who, np.arange(len(who)) - np.repeat(np.cumsum(counts) - counts, counts)
