"""The true probabilities of the next 90 days, given the hidden moods and everything up to a day."""

from dataclasses import dataclass, field
from itertools import product

import numpy as np
from scipy.special import ndtr

from simulator.campaigns import MONTHS_OF_EFFECT, RETENTION_LOGIT, Campaigns
from simulator.firms import TROUBLED_TURNOVER
from simulator.lives import Lives
from simulator.loans import Loans
from simulator.money import AWAY, RECOVERY, STICKY, WINDFALL, WITHDRAWN, WITHOUT_PAY, Money, windfall
from simulator.moods import MONTHS_OF_UNREST, RETURNING, UNREST_LOGIT, Moods
from simulator.reference import Managers
from simulator.strain import TROUBLE_LOGIT, Strain
from simulator.turn import Turn

HORIZON, _MONTHS = 90, 3
TIER_THRESHOLDS = np.array([0, 10_000, 50_000, 200_000, 500_000, 2_000_000, 6_000_000, np.inf])  # CNY
FOLLOWING_LOGIT, ASLEEP_LOGIT = 1.5, -4.0
"""Added to the logit of churn in the months after the manager left, and while the accounts sleep."""
LAST_DECISION = 4  # days into the month: by then who leaves in it has decided

_SPREAD = np.array([0.30, 0.50, 1.1, 0.45, 0.15])
"""Standard deviation of the average balance of 90 days without an event, in monthly incomes: by trade; persons."""
_GAIN = 0.045  # in monthly incomes, what persons put by in that time on average
_WITHOUT_EFFECT = 0.6  # of the loss without pay, what is felt: less is spent as the account runs down
_EBB = (0.085, 0.08)
"""Mean and standard deviation, in levels of the main account, of what those who park money lack on average."""
_WITHDRAWN_ON, _RECEIVED_ON = 12, 20
"""Day of the month on which large sums usually leave and arrive."""
_LEFT = 1 - 0.95 * sum(WITHDRAWN) / 2  # by a withdrawal; a customer keeps some of what is at hand
_TIMES = np.linspace(*WINDFALL, 3)


def _moments(of_month: int, turn: Turn, day: int) -> np.ndarray:
    """When in the 90 days after the ``day`` something may come that comes on a certain day of the month; 0 to 1."""
    next_one = (of_month - (day - turn.month.first + 1)) % 30
    return (next_one + 30 * np.arange(_MONTHS)) / HORIZON


@dataclass
class Outlook:
    """Looks ahead from any day; keeps the average assets of the last months."""

    money: Money
    moods: Moods
    loans: Loans
    campaigns: Campaigns
    lives: Lives
    strain: Strain
    staff: Managers
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
        month = turn.month
        left = (month.last - day) / month.length  # share of the month still to come
        inflow, outflow = (self._within(turn, name, left) * ~turn.idle for name in ("windfall", "outflow"))
        staying, shaken = self._staying(turn, day)
        past, now = self._assets(turn, day, start)
        up, down = self._tier_moves(turn, day, past, now, self._usual(turn, day, now), inflow, outflow, shaken)
        stays = staying * (1 - (1 - RETURNING) * outflow * (1 - shaken))

        is_due = month.first + self.loans.due_day - 1 <= day
        paying = self._paying(turn, is_due)
        has_missed = (self.loans.missed_since >= 0) & ((self.loans.missed_since < month.index) | is_due)
        return {
            "churn": 1 - stays,
            "tier_upgrade": up * staying,
            "tier_downgrade": down * staying,
            "delinquency": np.where(has_missed, 1.0, 1 - paying),
        }

    def restlessness(self, month: int, first: int) -> np.ndarray:
        """What adds to the logit of churn in the month that begins on the day ``first``."""
        following = FOLLOWING_LOGIT * self.staff.has_left_lately(self.money.people.manager, first)
        added = self.campaigns.effect(month) + self.moods.unrest(month) + following
        return np.asarray(added + ASLEEP_LOGIT * self.lives.is_asleep(month))

    def _paying(self, turn: Turn, is_due: np.ndarray) -> np.ndarray:
        """Probability of paying all instalments that can be 30 days past due in time."""
        moods, month = turn.moods, turn.month.index
        strikes = [self.strain.strikes(month + step) for step in (1, 2)]
        following, later = moods.ahead("delinquency", strikes)
        _, struck = moods.ahead("delinquency", [strikes[0], np.maximum(strikes[1], TROUBLE_LOGIT)])
        begins = self.strain.next_trouble(month, moods)
        later = later + begins * (struck - later)
        present = moods.hazard("delinquency", self.strain.strikes(month))
        return np.asarray((1 - following) * (1 - np.where(is_due, later, present)))

    def _staying(self, turn: Turn, day: int) -> tuple[np.ndarray, np.ndarray]:
        """Probability of being a customer after the 90 days without a large withdrawal, and by what one lowers it."""
        month = turn.month
        # Months whose leavers have gone in time.
        months = range(month.index + 1, month.index + (4 if day == month.last else 3))
        added = [self.restlessness(later, month.last + 1 + 31 * step) for step, later in enumerate(months)]
        staying = np.prod(1 - turn.moods.ahead("churn", added), axis=0)
        if day < month.first + LAST_DECISION:
            present = self.restlessness(month.index, month.first)
            staying = staying * (1 - turn.moods.hazard("churn", present))
        is_dead = self.lives.is_dead(month.index)
        staying = np.where(is_dead, ~self.lives.is_settled(months[-1]), staying)
        staying = np.where(turn.leaves & (day >= turn.until), 0, staying)
        shaken = np.prod(1 - turn.moods.ahead("churn", [more + UNREST_LOGIT for more in added[1:]]), axis=0)
        shaken = (shaken + 1) / 2  # a withdrawal comes any time in the 90 days
        restless = month.index - turn.moods.withdrew <= MONTHS_OF_UNREST
        return staying, np.where(restless, 1, shaken)

    def _within(self, turn: Turn, name: str, left: float) -> np.ndarray:
        """Probability of a large sum in the 90 days."""
        ahead = turn.moods.ahead(name, [0, 0, 0])
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
        is_troubled = turn.strain.is_troubled(month.index)
        has_pay = ~people.is_enterprise & ~turn.idle & ~is_troubled
        income = np.where(has_pay, people.income * 100, 0)
        share = (self.money.payday - month.first) / month.length
        gone = (day - month.first + 1) / month.length
        # Pay comes at once, and is spent over the month.
        away = np.clip((self.money.parked_until - day) / HORIZON, 0, 1)
        level = (
            now + self.money.parked * (1 - away) - income * (self.money.payday <= day) + income * (gone + 0.5 - share)
        )
        main = now - self.money.savings.total - self.money.second + self.money.parked
        pull = np.minimum(people.income * 100 / np.maximum(self.money.level, 1), 1.0)
        growth = 1.5 * RECOVERY * np.maximum(self.money.home - self.money.level, 0)
        rests = (self.money.level + growth) * np.exp(-0.09 * turn.moods["insecurity"])
        remaining = sum((1 - pull) ** step + (1 - pull) ** (step + 1) for step in range(3)) / 6
        ebb = _EBB[0] * self.money.parks * ~turn.idle * self.money.level
        # Months without pay, or with less turnover, eat up what is there.
        months = turn.strain.months_left(month.index)
        loss = np.where(people.is_enterprise, STICKY - TROUBLED_TURNOVER, WITHOUT_PAY) * people.income * 100
        loss = np.minimum(_WITHOUT_EFFECT * loss * (months - months**2 / 6), 0.8 * np.maximum(main, 0))
        moves = (rests - main) * (1 - remaining) * ~turn.idle * np.where(is_troubled, 1 - months / 3, 1)
        return level + moves + _GAIN * income - loss - ebb

    def _tier_moves(
        self,
        turn: Turn,
        day: int,
        past: np.ndarray,
        now: np.ndarray,
        usual: np.ndarray,
        inflow: np.ndarray,
        outflow: np.ndarray,
        shaken: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Probability of a move to a higher and to a lower tier: without an event, and by the moment of each event."""
        people = turn.people
        income = people.income * 100
        tier = np.searchsorted(TIER_THRESHOLDS[1:-1] * 100, past, side="right")
        floor, ceiling = TIER_THRESHOLDS[tier] * 100, TIER_THRESHOLDS[tier + 1] * 100
        spread = income * _SPREAD[people.trade] + 1  # -1 is a person
        spread = np.hypot(spread, _EBB[1] * self.money.parks * self.money.level)
        spread = np.where(turn.idle, 0.002 * now + 1, spread)
        quiet = (1 - inflow) * (1 - outflow)
        up, down = quiet * ndtr((usual - ceiling) / spread), quiet * ndtr((floor - usual) / spread)
        # An enterprise in want takes its turnover in before it spends again.
        least = income * np.where(people.is_enterprise, 1.3, 1.0)
        for moment in _moments(_WITHDRAWN_ON, turn, day):
            rest = np.maximum(_LEFT * usual, least)
            lent = RETURNING, min(sum(AWAY) / 2 / HORIZON, 1 - moment)
            for share, away in (lent, ((1 - RETURNING) * shaken, 1 - moment)):
                low = np.minimum(usual, usual * (1 - away) + rest * away)
                weight = outflow * (1 - inflow) * share / _MONTHS
                up += weight * ndtr((low - ceiling) / spread)
                down += weight * ndtr((floor - low) / spread)
        for moment, times in product(_moments(_RECEIVED_ON, turn, day), _TIMES):
            high = usual + windfall(times, now) * (1 - moment)
            weight = inflow / _MONTHS / len(_TIMES)
            up += weight * ndtr((high - ceiling) / spread)
            down += weight * ndtr((floor - high) / spread)
        return up, down

    def retention(self, turn: Turn, who: np.ndarray) -> dict[str, np.ndarray]:
        """Probability of churn in the next three months without and with a retention call this month."""
        months = range(turn.month.index + 1, turn.month.index + 1 + MONTHS_OF_EFFECT)
        first = turn.month.last + 1
        effect = [self.campaigns.effect(later) for later in months]
        added = [self.restlessness(later, first + 31 * step) - effect[step] for step, later in enumerate(months)]
        called = [more + RETENTION_LOGIT for more in added]
        return {
            name: 1 - np.prod(1 - turn.moods.ahead("churn", logits), axis=0)[who]
            for name, logits in (("untreated", added), ("treated", called))
        }

    def remember(self, turn: Turn, start: np.ndarray) -> None:
        """Keep the average of the month that ends."""
        _, weighted = turn.ledger.flows(len(start), turn.month.last)
        self.months = [*self.months[-3:], (turn.month.length, start + weighted / turn.month.length)]
