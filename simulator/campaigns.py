"""Campaigns with random treatment and control arms, and what the retention calls truly change."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from simulator.draws import Draws
from simulator.people import People, customer_nos
from simulator.reference import PRODUCT, PRODUCT_CODES
from simulator.text import coded, join, numbers
from simulator.timeline import DAY, SHANGHAI
from simulator.turn import Turn

_CHANNELS = ("sms", "push", "email", "phone")
_COSTS = np.array([5, 1, 1, 800])  # cents
_OFFERS = [PRODUCT[code] for code in ("WM01", "FU01", "FD12", "SD01")]
_SALES, _RETENTION = 0, 1
CONTROL_RATE = 0.3
RETENTION_LOGIT, MONTHS_OF_EFFECT = -0.7, 3
"""Added to the logit of the monthly churn hazard after a retention call, and the months for which it lasts."""


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

    def month(self, turn: Turn) -> np.ndarray:
        """Touch the targets of this month's campaigns; positions of those in the retention campaign, both arms.

        A call works from the next month on.
        """
        targets = turn.active & (turn.uniform("sales target") < 0.1)
        self._run(turn, _SALES, targets, turn.draws.integers(3, "by", self.people.index, turn.month.index))
        if turn.month.number % 3 != 1:
            return np.zeros(0, np.int64)
        targets = turn.active & (turn.uniform("retention target") < 0.15)
        who, is_control = self._run(turn, _RETENTION, targets, np.full(len(self.people), _CHANNELS.index("phone")))
        self.called_until[who[~is_control]] = turn.month.index + MONTHS_OF_EFFECT
        return who

    def _run(self, turn: Turn, kind: int, targets: np.ndarray, channel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Draw the arms, send the touches and responses; positions of the targets, and who is in the control arm."""
        who = np.flatnonzero(targets & ~self.people.is_opted_out)
        index, channel, month = self.people.index[who], channel[who], turn.month
        number = (index * 1_000 + month.index) * 10 + kind
        is_control = self.draws.uniform("arm", number) < CONTROL_RATE
        day = month.first + 2 + self.draws.integers(18, "touch day", number)
        stamp = day * DAY + 36_000 + self.draws.integers(28_000, "touch time", number) - SHANGHAI
        product = np.full(len(who), -1 if kind == _RETENTION else _OFFERS[month.index % len(_OFFERS)])
        touch = join("TC", numbers(number, 13))
        turn.deliveries.write(
            "campaign_touches",
            {
                "touch_id": touch,
                "business_date": day,
                "campaign_id": coded((f"S{month.index:03d}", f"R{month.index:03d}"), np.full(len(who), kind)),
                "customer_no": customer_nos(index),
                "touched_at": stamp,
                "channel": coded(_CHANNELS, channel),
                "product_code": coded(PRODUCT_CODES, product),
                "arm": coded(("treatment", "control"), is_control.astype(np.int64)),
                "cost": np.where(is_control, 0, _COSTS[channel]),
            },
            day,
            index,
        )
        answers = self.draws.uniform("answers", number) < 0.3 * np.minimum(
            np.exp(-0.5 * turn.moods["distance"][who]), 3
        )
        chosen = np.flatnonzero(answers & ~is_control)
        response = self.draws.choice([60, 22, 8, 7, 3], "response", number[chosen])
        turn.deliveries.write(
            "campaign_responses",
            {
                "response_id": join("RS", numbers(number[chosen], 13)),
                "business_date": day[chosen] + 1,
                "touch_id": touch.take(pa.array(chosen)),
                "responded_at": stamp[chosen] + DAY,
                "response": coded(("opened", "clicked", "applied", "converted", "opted_out"), response),
            },
            day[chosen] + 1,
            index[chosen],
        )
        return who, is_control
