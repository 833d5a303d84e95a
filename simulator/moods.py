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
RETURNING = 0.2
"""Share of large withdrawals that are only lent out."""
UNREST_LOGIT, MONTHS_OF_UNREST = 4.6, 3
"""Added to the logit of churn after a large withdrawal, and the months for which it lasts: many close the account."""
RELIEF = -1.5
"""What a large sum that came, or went, takes off the factor behind it."""
BOND_LOGIT = -3.2
"""Added to the logits of churn and of large withdrawals for the very rich, whom the bank looks after."""
_MONTHS_BEFORE = 36  # lived before the first month, so that the history begins in a steady state

# Weight of each factor in the index of a hazard; the squares sum to 1.
_WEIGHTS = {
    "churn": {"grievance": 0.48, "pull": 0.45, "drift": 0.45, "insecurity": 0.42, "distance": 0.43},
    "windfall": {"windfall": 0.62, "distance": -0.42, "drift": -0.40, "insecurity": -0.38, "pull": -0.37},
    "outflow": {"plans": 0.60, "pull": 0.46, "stress": 0.40, "grievance": 0.36, "distance": 0.37},
    "delinquency": {"stress": 0.56, "insecurity": 0.50, "disorder": 0.50, "plans": 0.43},
    "stop": {"insecurity": 0.8, "stress": 0.6},
    "trouble": {"insecurity": 0.7, "stress": 0.5, "plans": 0.51},
}
# Logit of the monthly hazard: intercept and slope over the index.
_LOGIT = {
    "churn": (-5.3, 1.5),
    "windfall": (-4.8, 1.22),
    "outflow": (-2.85, 1.35),
    "delinquency": (-4.2, 1.7),
    "stop": (-5.2, 1.3),  # a person's pay
    "trouble": (-4.7, 1.3),  # an enterprise's
}

_NODES, _NODE_WEIGHTS = np.polynomial.hermite_e.hermegauss(5)
_DRIFTS = tuple(zip(_NODES.tolist(), (_NODE_WEIGHTS / _NODE_WEIGHTS.sum()).tolist(), strict=True))
"""Where a normal drift goes, and how likely (Gauss and Hermite): sums of five terms are its expectations."""
_BONDED = ("churn", "outflow")


@dataclass
class Moods:
    """The factors of a chunk of customers, month by month."""

    customer: np.ndarray
    draws: Draws
    bond: np.ndarray  # what is added to the logits of churn and of large withdrawals
    factors: np.ndarray  # [customers, factors], standard normal
    withdrew: np.ndarray  # month of the last large withdrawal

    @classmethod
    def of(cls, draws: Draws, customer: np.ndarray, is_rich: np.ndarray, is_new: np.ndarray) -> "Moods":
        """The moods before the first month; those who are customers by then (not ``is_new``) are the ones who stayed.

        Without the years before, the restless would all leave in the first months, and attrition would fall and fall.
        """
        columns = np.arange(len(FACTORS))
        fresh = draws.normal("mood at the start", customer[:, None], columns)
        moods = cls(customer, draws, BOND_LOGIT * is_rich, fresh, np.full(len(customer), -_MONTHS_BEFORE - 99))
        for month in range(-_MONTHS_BEFORE, 0):
            moods.advance(month)
            leaves = draws.uniform("churn", customer, month) < moods.hazard("churn", moods.unrest(month))
            receives = draws.uniform("windfall", customer, month) < moods.hazard("windfall")
            withdraws = draws.uniform("outflow", customer, month) < moods.hazard("outflow")
            withdraws &= ~receives & ~leaves
            returns = draws.uniform("outflow returns", customer, month) < RETURNING
            moods.shift("windfall", receives, RELIEF)
            moods.shift("plans", withdraws, RELIEF)
            moods.withdrew = np.where(withdraws & ~returns, month, moods.withdrew)
            moods.factors[leaves] = draws.normal("mood of a successor", customer[leaves, None], columns, month)
            moods.withdrew[leaves] = -_MONTHS_BEFORE - 99
        moods.factors = np.where(is_new[:, None], fresh, moods.factors)
        moods.withdrew = np.where(is_new, -99, moods.withdrew)
        return moods

    def unrest(self, month: int) -> np.ndarray:
        """What large withdrawals add to the logit of churn in the month."""
        return UNREST_LOGIT * (month - self.withdrew <= MONTHS_OF_UNREST)

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
        bond = self.bond if name in _BONDED else 0.0
        return 1 / (1 + np.exp(-intercept - slope * self.score(name) - bond - added))

    def ahead(self, name: str, added: Sequence[np.ndarray | float]) -> np.ndarray:
        """Expected probability of the event in each of the next months, [months, customers].

        ``added`` goes to the logit of each month.
        """
        intercept, slope = _LOGIT[name]
        bond = self.bond if name in _BONDED else 0.0
        score = self.score(name)
        probabilities = []
        for step, more in enumerate(added, 1):
            correlation = PERSISTENCE**step
            spread = slope * np.sqrt(1 - correlation**2)
            logit = intercept + slope * correlation * score + bond + more
            drifted = (weight / (1 + np.exp(-logit - spread * drift)) for drift, weight in _DRIFTS)
            probabilities.append(reduce(np.add, drifted))
        return np.stack(probabilities)
