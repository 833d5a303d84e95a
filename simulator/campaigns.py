"""Campaigns with random treatment and control arms: what they truly change, and who answers."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from simulator.draws import Draws
from simulator.people import People, customer_nos
from simulator.reference import PRODUCT, PRODUCT_CODES
from simulator.text import NULL, coded, join, numbers
from simulator.timeline import DAY, SHANGHAI, Month
from simulator.turn import Offers, Turn

_RESPONSES = ("opened", "clicked", "applied", "opted_out", "converted")
_CHANNELS = ("sms", "push", "email", "phone")
_COSTS = np.array([5, 1, 1, 800])  # cents
_OFFERS = [PRODUCT[code] for code in ("WM01", "FU01", "FD12", "SD01")]
_SALES, _RETENTION = 0, 1
CONTROL_RATE = 0.3
RETENTION_LOGIT, MONTHS_OF_EFFECT = -0.9, 3
"""Added to the logit of the monthly churn hazard after a retention call, and the months for which it lasts."""
_SALES_TARGETS, _RETENTION_TARGETS = 0.1, 0.25  # share of the customers


@dataclass
class Campaigns:
    """Each month a sales campaign; each quarter a retention campaign by phone."""

    people: People
    draws: Draws
    called_until: np.ndarray  # last month in which a retention call still works

    @classmethod
    def of(cls, draws: Draws, people: People) -> "Campaigns":
        return cls(people, draws, np.full(len(people), -1))

    def effect(self, month: int) -> np.ndarray:
        """What retention calls add to the logit of churn in the month."""
        return np.where(self.called_until >= month, RETENTION_LOGIT, 0.0)

    def sales(self, month: Month, active: np.ndarray) -> Offers:
        """Whom the month's sales campaign addresses, drawn before anybody buys."""
        is_target = self.draws.uniform("sales target", self.people.index, month.index) < _SALES_TARGETS
        return self._drawn(_SALES, month, active & is_target, _OFFERS[month.index % len(_OFFERS)])

    def month(self, turn: Turn) -> np.ndarray:
        """Write the month's campaigns; positions of those in the retention campaign, both arms.

        A call works from the next month on; an offer at once (``Savings.save``).
        """
        by = turn.draws.integers(3, "by", self.people.index, turn.month.index)
        touches = self._touch(turn, _SALES, turn.offers, by)
        self._respond(turn, turn.offers, touches, self._buyers(turn))
        if turn.month.number % 3 != 1:
            return np.zeros(0, np.int64)
        targets = turn.active & (turn.uniform("retention target") < _RETENTION_TARGETS)
        calls = self._drawn(_RETENTION, turn.month, targets, -1)
        by = np.full(len(self.people), _CHANNELS.index("phone"))
        touches = self._touch(turn, _RETENTION, calls, by)
        self._respond(turn, calls, touches, np.full(len(self.people), NULL))
        self.called_until[calls.who[~calls.is_control]] = turn.month.index + MONTHS_OF_EFFECT
        return calls.who

    def _drawn(self, kind: int, month: Month, targets: np.ndarray, product: int) -> Offers:
        """The targets who may be contacted, with their arms and days."""
        who = np.flatnonzero(targets & ~self.people.is_opted_out)
        number = (self.people.index[who] * 1_000 + month.index) * 10 + kind
        is_control = self.draws.uniform("arm", number) < CONTROL_RATE
        day = month.first + 2 + self.draws.integers(18, "touch day", number)
        return Offers(who, number, day, is_control, product)

    def _buyers(self, turn: Turn) -> np.ndarray:
        """Day on which each customer bought what they were offered, NULL where they did not."""
        bought = np.full(len(self.people), NULL)
        heard = np.full(len(self.people), turn.month.last)
        who, day = turn.offers.heard
        heard[who] = day
        for buyers, day, product, _ in turn.bought:
            takes = (product == turn.offers.product) & (day > heard[buyers])
            bought[buyers[takes]] = day[takes]
        return bought

    def _touch(self, turn: Turn, kind: int, offers: Offers, by: np.ndarray) -> pa.Array:
        """Write the touches; their numbers."""
        index, day, month = self.people.index[offers.who], offers.day, turn.month
        channel = by[offers.who]
        touch = join("TC", numbers(offers.number, 13))
        turn.deliveries.write(
            "campaign_touches",
            {
                "touch_id": touch,
                "business_date": day,
                "campaign_id": coded((f"S{month.index:03d}", f"R{month.index:03d}"), np.full(len(index), kind)),
                "customer_no": customer_nos(index),
                "touched_at": self._stamp(offers),
                "channel": coded(_CHANNELS, channel),
                "product_code": coded(PRODUCT_CODES, np.full(len(index), offers.product)),
                "arm": coded(("treatment", "control"), offers.is_control.astype(np.int64)),
                "cost": np.where(offers.is_control, 0, _COSTS[channel]),
            },
            day,
            index,
        )
        return touch

    def _respond(self, turn: Turn, offers: Offers, touch: pa.Array, bought: np.ndarray) -> None:
        """Write what the treated answer: those who bought (``bought``: days) have converted."""
        who, number = offers.who, offers.number
        bought = bought[who]
        near = np.minimum(np.exp(-0.5 * turn.moods["distance"][who]), 3)
        answers = (self.draws.uniform("answers", number) < 0.3 * near) | (bought != NULL)
        chosen = np.flatnonzero(answers & ~offers.is_control)
        has_bought = bought[chosen] != NULL
        response = self.draws.choice([60, 22, 8, 3], "response", number[chosen])
        day = np.where(has_bought, bought[chosen], offers.day[chosen] + 1)
        index = self.people.index[who[chosen]]
        turn.deliveries.write(
            "campaign_responses",
            {
                "response_id": join("RS", numbers(number[chosen], 13)),
                "business_date": day,
                "touch_id": touch.take(pa.array(chosen)),
                "responded_at": self._stamp(offers)[chosen] + (day - offers.day[chosen]) * DAY,
                "response": coded(_RESPONSES, np.where(has_bought, _RESPONSES.index("converted"), response)),
            },
            day,
            index,
        )

    def _stamp(self, offers: Offers) -> np.ndarray:
        """Moments of the touches, UTC seconds."""
        return offers.day * DAY + 36_000 + self.draws.integers(28_000, "touch time", offers.number) - SHANGHAI
