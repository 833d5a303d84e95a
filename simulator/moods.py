"""Hidden moods: independent factors that persist for years, and the hazards that arise from them.

Behaviour elsewhere in the simulator reads the factors; nothing that is delivered shows them directly.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from simulator.draws import Draws

FACTORS = (
    "grievance",  # dissatisfied with the bank
    "pull",  # drawn by wallets and outside money-market funds
    "drift",  # losing the habit of using our app and branches
    "insecurity",  # the salary, pension or turnover is at risk
    "distance",  # no bond with the bank: others handle the daily business
    "windfall",  # a large sum is coming: a property sale, a bonus, an inheritance
    "plans",  # a large sum will be needed: a house, a wedding, a business
    "stress",  # living at the edge of the means
    "disorder",  # pays late, forgets
)
PERSISTENCE = 0.985
"""Correlation of a factor with itself a month later."""

# Weight of each factor in the index of a hazard; the squares sum to 1.
_WEIGHTS = {
    "churn": {"grievance": 0.48, "pull": 0.45, "drift": 0.45, "insecurity": 0.42, "distance": 0.43},
    "windfall": {"windfall": 0.62, "distance": -0.42, "drift": -0.40, "insecurity": -0.38, "pull": -0.37},
    "outflow": {"plans": 0.60, "pull": 0.46, "stress": 0.40, "grievance": 0.36, "distance": 0.37},
    "delinquency": {"stress": 0.56, "insecurity": 0.50, "disorder": 0.50, "plans": 0.43},
}
# Logit of the monthly hazard: intercept and slope over the index.
_LOGIT = {"churn": (-5.8, 2.1), "windfall": (-5.8, 2.1), "outflow": (-4.25, 2.1), "delinquency": (-5.3, 2.1)}


@dataclass
class Moods:
    """The factors of a chunk of customers, month by month."""

    customer: np.ndarray
    draws: Draws
    factors: np.ndarray  # [customers, factors], standard normal

    @classmethod
    def of(cls, draws: Draws, customer: np.ndarray) -> "Moods":
        columns = np.arange(len(FACTORS))
        return cls(customer, draws, draws.normal("mood at the start", customer[:, None], columns))

    def advance(self, month: int) -> None:
        """Move on to the given month."""
        shock = self.draws.normal("mood", self.customer[:, None], np.arange(len(FACTORS)), month)
        self.factors = PERSISTENCE * self.factors + np.sqrt(1 - PERSISTENCE**2) * shock

    def __getitem__(self, factor: str) -> np.ndarray:
        return self.factors[:, FACTORS.index(factor)]

    def shift(self, factor: str, who: np.ndarray, change: float) -> None:
        """Move a factor of some customers (positions), as an event does."""
        self.factors[who, FACTORS.index(factor)] += change

    def score(self, name: str) -> np.ndarray:
        """The weighted factors behind a hazard, about standard normal."""
        # Not a matrix product: its last bits may depend on the number of rows, that is on the chunk.
        return reduce(np.add, [weight * self[factor] for factor, weight in _WEIGHTS[name].items()])

    def hazard(self, name: str, added: np.ndarray | float = 0.0) -> np.ndarray:
        """Probability of the event within the present month; ``added`` goes to its logit."""
        intercept, slope = _LOGIT[name]
        return 1 / (1 + np.exp(-intercept - slope * self.score(name) - added))

    def ahead(self, name: str, added: Sequence[np.ndarray | float]) -> np.ndarray:
        """Expected probability of the event in each of the next months, [months, customers].

        ``added`` goes to the logit of each month.
        """
        intercept, slope = _LOGIT[name]
        score = self.score(name)
        probabilities = []
        for step, more in enumerate(added, 1):
            correlation = PERSISTENCE**step
            spread = slope * np.sqrt(1 - correlation**2)
            # A logistic of a normal is near a logistic with a flatter slope (MacKay 1992).
            flat = np.sqrt(1 + np.pi * spread**2 / 8)
            probabilities.append(1 / (1 + np.exp(-(intercept + slope * correlation * score + more) / flat)))
        return np.stack(probabilities)
