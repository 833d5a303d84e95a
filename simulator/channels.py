"""What customers do beside their money: app and web, branch, relationship manager, complaints, mall, campaigns."""

from dataclasses import dataclass
from functools import reduce

import numpy as np

from simulator import names
from simulator.draws import Draws
from simulator.people import People, customer_nos, user_ids
from simulator.reference import PRODUCT_CODES, RISKS, Managers, manager_ids
from simulator.text import NULL, coded, join, numbers
from simulator.timeline import DAY, SHANGHAI
from simulator.turn import Turn

_EVENTS = ("login", "balance", "transfer", "product_view", "apply_start", "apply_finish", "help", "close_account_view")
_SERVICES = ("cash", "account", "wealth", "loan", "complaint", "enquiry")
_PURPOSES = ("service", "sales", "retention", "collection")
_NOTES = ("客户表示满意", "无人接听", "答应考虑", "暂无需求", "同意购买")


@dataclass
class Channels:
    """Contacts of a chunk of customers with the bank."""

    people: People
    draws: Draws
    staff: Managers
    habit: np.ndarray  # how much more, or less, of everything online a customer does, for no deeper reason

    @classmethod
    def of(cls, draws: Draws, people: People, staff: Managers) -> "Channels":
        return cls(people, draws, staff, np.exp(0.15 * draws.normal("online habit", people.index)))

    def month(self, turn: Turn) -> None:
        """Everything that those who are customers the whole month do in it."""
        self._events(turn)
        self._visits(turn)
        self._complaints(turn)
        self._contacts(turn)
        self._orders(turn)
        self._applications(turn)

    def _occurrences(
        self, turn: Turn, stream: str, mean: np.ndarray, of: str
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """(position, number for the record, day, UTC second) of Poisson many occurrences."""
        who, nth = turn.several(stream, np.where(turn.active, np.minimum(mean, 25), 0))
        day = turn.season.day(of, turn.uniform(f"{stream} moment", who, nth))
        second = 9 * 3600 + (turn.uniform(f"{stream} time", who, nth) * 8 * 3600).astype(np.int64)
        number = (self.people.index[who] * 1_000 + turn.month.index) * 1_000 + nth + 10**14
        return who, number, day, day * DAY + second - SHANGHAI

    def _picks(self, stream: str, odds: list[np.ndarray], who: np.ndarray, *keys: np.ndarray) -> np.ndarray:
        """One of several kinds per row, by odds that differ per customer."""
        chance = self.draws.uniform(stream, *keys) * reduce(np.add, odds)[who]
        choice, reached = np.zeros(len(who), np.int64), 0
        for weight in odds[:-1]:
            reached = reached + weight
            choice += chance > reached[who]
        return choice

    def _events(self, turn: Turn) -> None:
        people, moods, one = self.people, turn.moods, np.ones(len(self.people))
        mean = np.where(turn.is_online, 2.1 * self.habit * np.exp(-1.0 * moods["drift"]), 0)
        who, number, day, stamp = self._occurrences(turn, "session", mean, "online")
        # Night owls: the day in Shanghai is then a day ahead of the date in UTC.
        stamp = np.where(self.draws.uniform("night", number) < 0.04, day * DAY + number % (7 * 3600) - SHANGHAI, stamp)
        more = self.draws.integers(4, "session length", number)
        session = np.repeat(np.arange(len(who)), 1 + more)
        step = np.arange(len(session)) - np.repeat(np.cumsum(1 + more) - 1 - more, 1 + more)
        odds = [
            2.0 * np.exp(0.8 * moods["stress"]),
            1.0 * np.exp(1.0 * moods["plans"]),
            2.4 * np.exp(1.0 * moods["windfall"]),
            0.25 * np.exp(1.0 * moods["plans"]),
            0.0 * one,
            1.5 * np.exp(1.6 * moods["grievance"]),
            0.06 * np.exp(0.9 * moods.score("churn")),
        ]
        kind = 1 + self._picks("event", odds, who[session], number[session], step)
        kind = np.where(step == 0, 0, kind)
        looks = np.isin(kind, (3, 4, 5))
        product = self.draws.integers(len(PRODUCT_CODES), "product", number[session], step)
        is_web = self.draws.uniform("web", number) < 0.15
        user = people.index[who[session]]
        turn.deliveries.write(
            "app_events",
            {
                "event_id": numbers(number[session] * 10 + step),
                "business_date": day[session],
                "user_id": user_ids(user),
                "session_id": numbers(number[session]),
                "event_at": stamp[session] + 20 * step,
                "platform": coded(("app", "web"), is_web[session].astype(np.int64)),
                "event_name": coded(_EVENTS, kind),
                "product_code": coded(PRODUCT_CODES, np.where(looks, product, -1)),
            },
            day[session],
            user,
        )

    def _visits(self, turn: Turn) -> None:
        people, moods, one = self.people, turn.moods, np.ones(len(self.people))
        mean = np.where(people.is_online, 0.4 * people.uses_branch, 1.0 * np.exp(-1.25 * moods["drift"]))
        who, number, day, stamp = self._occurrences(turn, "visit", mean, "branch")
        odds = [
            3.5 * one,
            1.5 * one,
            1.5 * np.exp(1.0 * moods["windfall"]),
            0.8 * np.exp(1.0 * moods["plans"]),
            0.5 * np.exp(1.4 * moods["grievance"]),
            1.2 * np.exp(0.8 * moods["grievance"]),
        ]
        wait = 60 * (2 + self.draws.integers(48, "wait", number))
        took = 60 * (2 + self.draws.integers(28, "service time", number))
        gives_up = self.draws.uniform("gives up", number) < 0.05
        is_anonymous = self.draws.uniform("no card", number) < 0.1
        turn.deliveries.write(
            "branch_visits",
            {
                "ticket_id": join("Q", numbers(number)),
                "business_date": day,
                "customer_no": customer_nos(np.where(is_anonymous, -1, people.index[who])),
                "branch_code": join("B", numbers(people.branch[who], 4)),
                "service_type": coded(_SERVICES, self._picks("service", odds, who, number)),
                "queued_at": stamp,
                "served_at": np.where(gives_up, NULL, stamp + wait),
                "finished_at": np.where(gives_up, NULL, stamp + wait + took),
            },
            day,
            people.index[who],
        )

    def _applications(self, turn: Turn) -> None:
        """What was bought and begun online: finished there, or at the counter, where a visit shows it."""
        who, day, product, at_counter = (np.concatenate(columns) for columns in zip(*turn.bought, strict=True))
        number = (self.people.index[who] * 1_000 + turn.month.index) * 1_000 + 900 + 10**14
        begins = self.draws.uniform("begins online", number) < np.where(at_counter, 0.85, 1.0)
        online = np.flatnonzero(begins & turn.is_online[who])
        lag = (7 * self.draws.uniform("days to think", number) ** 2).astype(np.int64)
        start = np.maximum(day - lag, turn.month.first)
        ends = online[~at_counter[online]]
        rows, step = np.concatenate([online, ends]), np.repeat([0, 1], [len(online), len(ends)])
        on, user = np.where(step, day[rows], start[rows]), self.people.index[who[rows]]
        second = np.where(step, 49_900, 34_000 + number[rows] % 5_000)
        turn.deliveries.write(
            "app_events",
            {
                "event_id": numbers(number[rows] * 10 + step),
                "business_date": on,
                "user_id": user_ids(user),
                "session_id": numbers(number[rows] + 10 * step),
                "event_at": on * DAY + second - SHANGHAI,
                "platform": coded(("app", "web"), (number[rows] // 7 % 8 == 0).astype(np.int64)),
                "event_name": coded(_EVENTS, 4 + step),
                "product_code": coded(PRODUCT_CODES, product[rows]),
            },
            on,
            user,
        )
        seen = np.flatnonzero(at_counter)
        index, queued = self.people.index[who[seen]], day[seen] * DAY + 46_800 - SHANGHAI
        turn.deliveries.write(
            "branch_visits",
            {
                "ticket_id": join("Q", numbers(number[seen])),
                "business_date": day[seen],
                "customer_no": customer_nos(index),
                "branch_code": join("B", numbers(self.people.branch[who[seen]], 4)),
                "service_type": coded(_SERVICES, np.where(RISKS[product[seen]] > 1, 2, 1)),
                "queued_at": queued,
                "served_at": queued + 600,
                "finished_at": queued + 3_000,
            },
            day[seen],
            index,
        )

    def _complaints(self, turn: Turn) -> None:
        mean = 0.019 * np.exp(1.5 * turn.moods["grievance"])
        who, number, day, stamp = self._occurrences(turn, "complaint", mean, "office")
        took = self.draws.integers(20, "resolution", number)
        channel = self.draws.choice([3, 4, 2, 1], "complaint channel", number)
        category = self.draws.choice([30, 30, 18, 4, 18], "category", number)
        turn.deliveries.write(
            "complaints",
            {
                "complaint_id": join("CP", numbers(number)),
                "business_date": day,
                "customer_no": customer_nos(self.people.index[who]),
                "received_at": stamp,
                "channel": coded(("counter", "phone", "mobile", "web"), channel),
                "category": coded(("fees", "service", "product", "fraud", "system"), category),
                "severity": 1 + self.draws.choice([60, 30, 10], "severity", number),
                "resolved_date": np.where(took == 0, day, NULL),  # later resolutions are not sent again
            },
            day,
            self.people.index[who],
        )

    def _contacts(self, turn: Turn) -> None:
        people, one = self.people, np.ones(len(self.people))
        mean = np.where((people.manager >= 0) & ~people.is_opted_out, 0.5, 0)
        who, number, day, stamp = self._occurrences(turn, "contact", mean, "office")
        left, back = self.staff.left[people.manager[who]], self.staff.gap_ends[people.manager[who]]
        keeps = (left == NULL) | (day <= left) | (day >= back)
        who, number, day, stamp = who[keeps], number[keeps], day[keeps], stamp[keeps]
        near = np.exp(-0.9 * turn.moods["distance"])
        outcome = self._picks("outcome", [4.0 * near, 3.0 * one, 0.8 * near, 1.0 / near, 0.5 * near], who, number)
        turn.deliveries.write(
            "rm_contacts",
            {
                "contact_id": join("RC", numbers(number)),
                "business_date": day,
                "customer_no": customer_nos(people.index[who]),
                "rm_id": manager_ids(self.staff.in_charge(people.manager[who], day)),
                "contact_at": stamp,
                "channel": coded(("phone", "visit", "message"), self.draws.choice([6, 1, 3], "by", number)),
                "purpose": coded(_PURPOSES, self.draws.choice([50, 40, 8, 2], "purpose", number)),
                "outcome": coded(("reached", "not_reached", "promised", "refused", "accepted"), outcome),
                "note": coded(_NOTES, outcome),
            },
            day,
            people.index[who],
        )

    def _orders(self, turn: Turn) -> None:
        mean = np.where(turn.is_online, 0.18 * np.exp(-1.3 * turn.moods["distance"]), 0)
        who, number, day, stamp = self._occurrences(turn, "order", mean, "shop")
        goods = self.draws.integers(len(names.MALL_CATEGORIES), "goods", number)
        turn.deliveries.write(
            "mall_orders",
            {
                "order_id": join("MO", numbers(number)),
                "business_date": day,
                "user_id": user_ids(self.people.index[who]),
                "ordered_at": stamp,
                "category": coded(names.MALL_CATEGORIES, goods),
                "amount": np.round(np.exp(9.5 + 0.9 * self.draws.normal("order amount", number))).astype(np.int64),
                "status": coded(
                    ("paid", "cancelled", "returned"), self.draws.choice([90, 6, 4], "order status", number)
                ),
            },
            day,
            self.people.index[who],
        )
