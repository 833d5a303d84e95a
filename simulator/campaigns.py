"""Campaigns with random treatment and control arms, and what the retention calls truly change."""

from dataclasses import dataclass

import numpy as np

from simulator.deliveries import Deliveries
from simulator.draws import Draws
from simulator.people import People, customer_nos
from simulator.reference import PRODUCT, PRODUCT_CODES
from simulator.text import coded, join, numbers
from simulator.timeline import DAY, SHANGHAI, Month

_CHANNELS = ("sms", "push", "email", "phone")
_COSTS = np.array([5, 1, 1, 800])  # cents
RETENTION_LOGIT = -0.7
"""Added to the logit of the monthly churn hazard for three months after a retention call."""


@dataclass
class Campaigns:
    """Each month one sales campaign; each quarter a retention campaign by phone."""

    people: People
    draws: Draws
    called_until: np.ndarray  # last month in which a retention call still works

    def month(self, deliveries: Deliveries, month: Month, may: np.ndarray) -> None:
        """Touch the customers of this month's campaigns."""
        self._run(
            deliveries, month, 0, may & (self.draws.uniform("sales target", self.people.index, month.index) < 0.1)
        )
        if month.number % 3 == 1:
            target = may & (self.draws.uniform("retention target", self.people.index, month.index) < 0.15)
            treated = self._run(deliveries, month, 1, target)
            self.called_until[treated] = month.index + 3

    def effect(self, month: Month) -> np.ndarray:
        """What is added to the logit of churn this month."""
        return np.where(self.called_until >= month.index, RETENTION_LOGIT, 0.0)

    def _run(self, deliveries: Deliveries, month: Month, kind: int, target: np.ndarray) -> np.ndarray:
        who = np.flatnonzero(target & ~self.people.is_opted_out)
        index = self.people.index[who]
        number = (index * 1_000 + month.index) * 10 + kind
        control = self.draws.uniform("arm", number) < 0.3
        channel = np.full(len(who), 3) if kind else self.draws.integers(3, "campaign channel", number)
        day = month.first + 2 + self.draws.integers(18, "touch day", number)
        stamp = day * DAY + 36_000 + self.draws.integers(28_000, "touch time", number) - SHANGHAI
        product = np.full(len(who), -1) if kind else np.full(len(who), PRODUCT["WM01"] + month.index % 4)
        touch = join("TC", numbers(number, 13))
        deliveries.write(
            "campaign_touches",
            {
                "touch_id": touch,
                "business_date": day,
                "campaign_id": coded((f"S{month.index:03d}", f"R{month.index:03d}"), np.full(len(who), kind)),
                "customer_no": customer_nos(index),
                "touched_at": stamp,
                "channel": coded(_CHANNELS, channel),
                "product_code": coded(PRODUCT_CODES, product),
                "arm": coded(("treatment", "control"), control.astype(np.int64)),
                "cost": np.where(control, 0, _COSTS[channel]),
            },
            day,
            index,
        )
        response = self.draws.choice([70, 18, 7, 2, 2, 1], "response", number) - 1
        chosen = np.flatnonzero((response >= 0) & ~control)
        deliveries.write(
            "campaign_responses",
            {
                "response_id": join("RS", numbers(number[chosen], 13)),
                "business_date": day[chosen] + 1,
                "touch_id": touch.take(chosen),
                "responded_at": stamp[chosen] + DAY,
                "response": coded(("opened", "clicked", "applied", "converted", "opted_out"), response[chosen]),
            },
            day[chosen] + 1,
            index[chosen],
        )
        return who[~control]
