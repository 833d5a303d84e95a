"""The true probabilities of the next 90 days, given the hidden moods and everything up to a day."""

from dataclasses import dataclass, field

import numpy as np
from scipy.special import ndtr

from simulator.loans import Loans
from simulator.money import WINDFALL, Money
from simulator.turn import Turn

HORIZON = 90
TIER_THRESHOLDS = np.array([0, 10_000, 50_000, 200_000, 500_000, 2_000_000, 6_000_000, np.inf])  # CNY
_SPREAD = {"person": 0.13, "enterprise": 0.20}
"""Standard deviation of the average balance of 90 days without an event, in monthly incomes."""
_MOMENTS = (np.arange(6) + 0.5) / 6  # when in the 90 days an event comes
_TIMES = np.linspace(*WINDFALL, 3)


@dataclass
class Outlook:
    """Looks ahead from any day; keeps the average assets of the last months."""

    money: Money
    loans: Loans
    months: list[tuple[int, np.ndarray]] = field(default_factory=list)  # days, average cents

    def probabilities(self, turn: Turn, day: int, start: np.ndarray) -> dict[str, np.ndarray]:
        """Probability of each event from the day after ``day``, which lies in the turn's month, over 90 days.

        Parameters
        ----------
        turn
            The month, already acted.
        day
            The as-of day.
        start
            Each customer's assets in cents at the start of the month.
        """
        moods, month = turn.moods, turn.month
        left = (month.last - day) / month.length  # share of the month still to come
        churn = moods.ahead("churn", 3)
        if left:
            churn = churn[:2]
        staying = np.prod(1 - churn, axis=0)
        staying = np.where(turn.leaves, np.where(day >= turn.until, 0, 1 - left), staying)

        inflow, outflow = self._within(turn, "windfall", left), self._within(turn, "outflow", left)
        past, now = self._assets(turn, day, start)
        usual = self._usual(turn, day, now)
        up, down = self._tier_moves(turn, past, now, usual, inflow, outflow)

        missed = np.prod(1 - moods.ahead("delinquency", 2), axis=0)
        return {
            "churn": 1 - staying,
            "tier_upgrade": up * staying,
            "tier_downgrade": down * staying,
            "delinquency": np.where(self.loans.missed_since >= 0, 1.0, 1 - missed),
        }

    def _within(self, turn: Turn, name: str, left: float) -> np.ndarray:
        """Probability of a large sum in the 90 days."""
        ahead = turn.moods.ahead(name, 3)
        ahead[-1] *= 1 - left
        return 1 - np.prod(1 - ahead, axis=0) * (1 - left * turn.moods.hazard(name))

    def _assets(self, turn: Turn, day: int, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Average assets of the 90 days up to the day, and assets at its end, in cents."""
        change, weighted = turn.ledger.flows(len(start), day)
        days = day - turn.month.first + 1
        total, counted = (start * days + weighted).astype(np.float64), days
        for length, average in reversed(self.months):
            taken = min(length, HORIZON - counted)
            total, counted = total + taken * average, counted + taken
        return total / HORIZON, (start + change).astype(np.float64)

    def _usual(self, turn: Turn, day: int, now: np.ndarray) -> np.ndarray:
        """Expected average of the 90 days if nothing large happens."""
        people, month = turn.people, turn.month
        income = np.where(people.is_enterprise, 0, people.income * 100)
        share = (self.money.payday - month.first) / month.length
        gone = (day - month.first + 1) / month.length
        # Pay comes at once, and is spent over the month.
        level = now - income * (self.money.payday <= day) + income * (gone + 0.5 - share)
        main = now - self.money.savings.total - self.money.second
        pull = np.minimum(people.income * 100 / np.maximum(self.money.level, 1), 1.0)
        rests = self.money.level * np.exp(-0.09 * turn.moods["insecurity"])
        kept = sum((1 - pull) ** step + (1 - pull) ** (step + 1) for step in range(3)) / 6
        return level + (rests - main) * (1 - kept)

    def _tier_moves(self, turn, past, now, usual, inflow, outflow) -> tuple[np.ndarray, np.ndarray]:
        people = turn.people
        income = people.income * 100
        tier = np.searchsorted(TIER_THRESHOLDS * 100, past, side="right") - 1
        tier = np.clip(tier, 0, len(TIER_THRESHOLDS) - 2)
        floor, ceiling = TIER_THRESHOLDS[tier] * 100, TIER_THRESHOLDS[tier + 1] * 100
        spread = income * np.where(people.is_enterprise, _SPREAD["enterprise"], _SPREAD["person"]) + 1
        quiet = (1 - inflow) * (1 - outflow)
        up, down = quiet * ndtr((usual - ceiling) / spread), quiet * ndtr((floor - usual) / spread)
        for moment in _MOMENTS:
            rest = np.maximum(0.05 * usual, 0.6 * income)
            low = np.minimum(usual, usual * moment + rest * (1 - moment))
            weight = outflow * (1 - inflow) / len(_MOMENTS)
            up += weight * ndtr((low - ceiling) / spread)
            down += weight * ndtr((floor - low) / spread)
            for times in _TIMES:
                sum_in = np.maximum(times * now, 1_500_000 * times / WINDFALL[0])
                high = usual + sum_in * (1 - moment)
                weight = inflow / len(_MOMENTS) / len(_TIMES)
                up += weight * ndtr((high - ceiling) / spread)
                down += weight * ndtr((floor - high) / spread)
        return up, down

    def remember(self, turn: Turn, start: np.ndarray) -> None:
        """Keep the average of the month that ends."""
        _, weighted = turn.ledger.flows(len(start), turn.month.last)
        self.months = [*self.months[-3:], (turn.month.length, start + weighted / turn.month.length)]
