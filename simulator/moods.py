"""Hidden moods: independent factors that persist for years, and the hazards that arise from them.

Behaviour elsewhere in the simulator reads the factors; nothing that is delivered shows them directly.
"""

from dataclasses import dataclass

import numpy as np

from simulator.draws import Draws

FACTORS = (
    "grievance",  # dissatisfied with the bank
    "pull",  # drawn by wallets and outside money-market funds
    "drift",  # losing the habit of using our app
    "insecurity",  # the salary or turnover is at risk
    "distance",  # no bond with branch and relationship manager
    "windfall",  # a large sum is coming: a property sale, a bonus, an inheritance
    "plans",  # a large sum will be needed: a house, a wedding, a business
    "stress",  # living at the edge of the means
    "disorder",  # pays late, forgets
)
PERSISTENCE = 0.97
"""Correlation of a factor with itself a month later."""

# Weight of each factor in the index of a hazard; the squares sum to 1.
_WEIGHTS = {
    "churn": {"grievance": 0.50, "pull": 0.42, "drift": 0.48, "insecurity": 0.40, "distance": 0.43},
    "windfall": {"windfall": 0.66, "distance": -0.40, "drift": -0.37, "insecurity": -0.36, "grievance": -0.37},
    "outflow": {"plans": 0.64, "pull": 0.45, "stress": 0.40, "grievance": 0.34, "distance": 0.33},
    "delinquency": {"stress": 0.58, "insecurity": 0.50, "disorder": 0.52, "plans": 0.38},
}
_MATRIX = {hazard: np.array([weights.get(factor, 0.0) for factor in FACTORS]) for hazard, weights in _WEIGHTS.items()}
# Logit of the monthly hazard: intercept and slope over the index.
_LOGIT = {"churn": (-6.3, 2.1), "windfall": (-6.0, 2.1), "outflow": (-6.0, 2.1), "delinquency": (-6.3, 2.2)}


@dataclass
class Moods:
    """The factors of a chunk of customers, month by month."""

    index: np.ndarray
    draws: Draws
    factors: np.ndarray  # [customers, factors], standard normal

    @classmethod
    def of(cls, draws: Draws, index: np.ndarray) -> "Moods":
        columns = np.arange(len(FACTORS))
        return cls(index, draws, draws.normal("mood at the start", index[:, None], columns))

    def advance(self, month: int) -> None:
        """Move on to the given month."""
        shock = self.draws.normal("mood", self.index[:, None], np.arange(len(FACTORS)), month)
        self.factors = PERSISTENCE * self.factors + np.sqrt(1 - PERSISTENCE**2) * shock

    def __getitem__(self, factor: str) -> np.ndarray:
        return self.factors[:, FACTORS.index(factor)]

    def hazard(self, name: str) -> np.ndarray:
        """Probability of the event within the present month."""
        intercept, slope = _LOGIT[name]
        return 1 / (1 + np.exp(-intercept - slope * (self.factors @ _MATRIX[name])))

    def ahead(self, name: str, months: int) -> np.ndarray:
        """Expected probability of the event in each of the next ``months`` months, [customers, months]."""
        intercept, slope = _LOGIT[name]
        score = self.factors @ _MATRIX[name]
        probabilities = []
        for step in range(1, months + 1):
            kept = PERSISTENCE**step
            spread = slope * np.sqrt(1 - kept**2)
            # A logistic of a normal is near a logistic with a flatter slope (MacKay 1992).
            flat = np.sqrt(1 + np.pi * spread**2 / 8)
            probabilities.append(1 / (1 + np.exp(-(intercept + slope * kept * score) / flat)))
        return np.stack(probabilities, axis=1)
