"""What customers do beside their money: app and web, branch, relationship manager, complaints, mall, campaigns."""

from dataclasses import dataclass

import numpy as np

from simulator import names
from simulator.deliveries import Deliveries
from simulator.draws import Draws
from simulator.moods import Moods
from simulator.people import People, customer_nos, user_ids
from simulator.reference import PRODUCT_CODES, Managers, manager_ids
from simulator.text import NULL, coded, join, numbers
from simulator.timeline import DAY, SHANGHAI, Month

_EVENTS = ("login", "balance", "transfer", "product_view", "apply_start", "apply_finish", "help", "close_account_view")
_SERVICES = ("cash", "account", "wealth", "loan", "complaint", "enquiry")


@dataclass
class Channels:
    """Contacts of a chunk of customers with the bank."""

    people: People
    draws: Draws
    staff: Managers

    def month(self, deliveries: Deliveries, month: Month, moods: Moods, is_open: np.ndarray, until: np.ndarray) -> None:
        """Everything that customers did in a month; ``until`` is the last day on which each one acts."""
        self._events(deliveries, month, moods, is_open)
        self._visits(deliveries, month, moods, is_open)
        self._complaints(deliveries, month, moods, is_open)
        self._contacts(deliveries, month, moods, is_open)
        self._orders(deliveries, month, is_open)

    def _occurrences(self, stream: str, month: Month, mean: np.ndarray):
        """(position, number within the month, local second from the epoch) of Poisson many occurrences."""
        index = self.people.index
        counts = self.draws.poisson(mean, stream, index, month.index)
        who = np.repeat(np.arange(len(index)), counts)
        nth = np.arange(len(who)) - np.repeat(np.cumsum(counts) - counts, counts)
        moment = self.draws.uniform(f"{stream} moment", index[who], month.index, nth)
        day = month.first + (moment * month.length).astype(np.int64)
        second = 9 * 3600 + self.draws.integers(8 * 3600, f"{stream} second", index[who], month.index, nth)
        return who, nth, day, day * DAY + second - SHANGHAI

    def _number(self, who: np.ndarray, month: Month, nth: np.ndarray) -> np.ndarray:
        return (self.people.index[who] * 1_000 + month.index) * 1_000 + nth + 10**14

    def _events(self, deliveries: Deliveries, month: Month, moods: Moods, is_open: np.ndarray) -> None:
        people, draws = self.people, self.draws
        may = is_open & people.is_online & (people.registered <= month.first)
        mean = np.where(may, 3.2 * np.exp(-0.4 * moods["drift"]), 0)
        who, nth, day, stamp = self._occurrences("session", month, mean)
        more = draws.integers(4, "session length", people.index[who], month.index, nth)
        session = np.repeat(np.arange(len(who)), 1 + more)
        step = np.arange(len(session)) - np.repeat(np.cumsum(1 + more) - 1 - more, 1 + more)
        number = self._number(who, month, nth)
        kind = 1 + draws.choice([45, 25, 20, 3, 2, 5, 0.5], "event", number[session], step)
        kind = np.where(step == 0, 0, kind)
        product = np.where(
            np.isin(kind, (3, 4, 5)), draws.integers(len(PRODUCT_CODES), "product", number[session], step), -1
        )
        is_app = draws.uniform("app", number) < 0.85
        user = people.index[who[session]]
        deliveries.write(
            "app_events",
            {
                "event_id": numbers(number[session] * 10 + step),
                "business_date": day[session],
                "user_id": user_ids(user),
                "session_id": numbers(number[session]),
                "event_at": stamp[session] + 20 * step,
                "platform": coded(("app", "web"), 1 - is_app[session]),
                "event_name": coded(_EVENTS, kind),
                "product_code": coded(PRODUCT_CODES, product),
            },
            day[session],
            user,
        )

    def _visits(self, deliveries: Deliveries, month: Month, moods: Moods, is_open: np.ndarray) -> None:
        mean = np.where(is_open, np.where(self.people.is_online, 0.12, 0.5), 0)
        who, nth, day, stamp = self._occurrences("visit", month, mean)
        number = self._number(who, month, nth)
        wait = 60 * draws_between(self.draws, "wait", number, 2, 50)
        left = self.draws.uniform("gives up", number) < 0.05
        served = np.where(left, NULL, stamp + wait)
        anonymous = self.draws.uniform("no card", number) < 0.1
        deliveries.write(
            "branch_visits",
            {
                "ticket_id": join("Q", numbers(number)),
                "business_date": day,
                "customer_no": customer_nos(np.where(anonymous, -1, self.people.index[who])),
                "branch_code": join("B", numbers(self.people.branch[who], 4)),
                "service_type": coded(_SERVICES, self.draws.choice([40, 20, 14, 8, 4, 14], "service", number)),
                "queued_at": stamp,
                "served_at": served,
                "finished_at": np.where(
                    left, NULL, stamp + wait + 60 * draws_between(self.draws, "service time", number, 2, 30)
                ),
            },
            day,
            self.people.index[who],
        )

    def _complaints(self, deliveries: Deliveries, month: Month, moods: Moods, is_open: np.ndarray) -> None:
        who, nth, day, stamp = self._occurrences(
            "complaint", month, np.where(is_open, 0.02 * np.exp(0.6 * moods["grievance"]), 0)
        )
        number = self._number(who, month, nth)
        took = 1 + self.draws.integers(20, "resolution", number)
        deliveries.write(
            "complaints",
            {
                "complaint_id": join("CP", numbers(number)),
                "business_date": day,
                "customer_no": customer_nos(self.people.index[who]),
                "received_at": stamp,
                "channel": coded(
                    ("counter", "phone", "mobile", "web"), self.draws.choice([3, 4, 2, 1], "complaint channel", number)
                ),
                "category": coded(
                    ("fees", "service", "product", "fraud", "system"),
                    self.draws.choice([30, 30, 18, 4, 18], "category", number),
                ),
                "severity": 1 + self.draws.choice([60, 30, 10], "severity", number),
                "resolved_date": np.where(took <= 1, day, NULL),
            },
            day,
            self.people.index[who],
        )

    def _contacts(self, deliveries: Deliveries, month: Month, moods: Moods, is_open: np.ndarray) -> None:
        people = self.people
        mean = np.where(is_open & (people.manager >= 0) & ~people.is_opted_out, 0.5, 0)
        who, nth, day, stamp = self._occurrences("contact", month, mean)
        number = self._number(who, month, nth)
        outcome = self.draws.choice([45, 30, 10, 10, 5], "outcome", number)
        deliveries.write(
            "rm_contacts",
            {
                "contact_id": join("RC", numbers(number)),
                "business_date": day,
                "customer_no": customer_nos(people.index[who]),
                "rm_id": manager_ids(self.staff.in_charge(people.manager[who], day)),
                "contact_at": stamp,
                "channel": coded(
                    ("phone", "visit", "message"), self.draws.choice([60, 10, 30], "contact channel", number)
                ),
                "purpose": coded(
                    ("service", "sales", "retention", "collection"),
                    self.draws.choice([50, 40, 8, 2], "purpose", number),
                ),
                "outcome": coded(("reached", "not_reached", "promised", "refused", "accepted"), outcome),
                "note": coded(("客户表示满意", "无人接听", "答应考虑", "暂无需求", "同意购买"), outcome),
            },
            day,
            people.index[who],
        )

    def _orders(self, deliveries: Deliveries, month: Month, is_open: np.ndarray) -> None:
        may = is_open & self.people.is_online & (self.people.registered <= month.first)
        who, nth, day, stamp = self._occurrences("order", month, np.where(may, 0.08, 0))
        number = self._number(who, month, nth)
        deliveries.write(
            "mall_orders",
            {
                "order_id": join("MO", numbers(number)),
                "business_date": day,
                "user_id": user_ids(self.people.index[who]),
                "ordered_at": stamp,
                "category": coded(
                    names.MALL_CATEGORIES, self.draws.integers(len(names.MALL_CATEGORIES), "goods", number)
                ),
                "amount": np.round(np.exp(9.5 + 0.9 * self.draws.normal("order amount", number))).astype(np.int64),
                "status": coded(
                    ("paid", "cancelled", "returned"), self.draws.choice([90, 6, 4], "order status", number)
                ),
            },
            day,
            self.people.index[who],
        )


def draws_between(draws: Draws, stream: str, number: np.ndarray, low: int, high: int) -> np.ndarray:
    return low + draws.integers(high - low, stream, number)
