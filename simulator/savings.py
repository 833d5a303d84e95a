"""Term deposits and investments: bought from what lies idle, valued at the end of the month, ended when due."""

from dataclasses import dataclass

import numpy as np

from simulator.accounts import report_accounts
from simulator.deliveries import Deliveries
from simulator.draws import Draws
from simulator.ledger import KIND, OURS, Ledger
from simulator.people import FIRST_DEPOSIT, MAIN, People, account_no, customer_nos
from simulator.reference import PRODUCT, PRODUCT_CODES, RATES, RISKS, TERMS
from simulator.text import NULL, coded, join, numbers
from simulator.timeline import Timeline
from simulator.turn import Turn

_DEPOSITS = np.array([PRODUCT[code] for code in ("FD03", "FD06", "FD12")])
_INVESTMENTS = np.array([PRODUCT[code] for code in ("WM01", "WM02", "FU01", "FU02", "FU03", "PM01", "SD01", "WL01")])
_DEPOSIT_SLOTS, _HOLDING_SLOTS = 3, 2
_THOUSAND = 100_000  # cents
_SAVES, _SAVES_WHEN_TOLD, _TAKES_THE_OFFER = 0.18, 0.28, 0.35
"""Chance in a month that idle money is saved, also after an offer, and that it then goes to what was offered."""
# Online and at the counter, of deposits and of investments.
_WAYS_OF_SAVING = np.array(
    [[KIND["between_accounts"], KIND["between_counter"]], [KIND["invest"], KIND["invest_counter"]]]
)


@dataclass
class Slots:
    """Up to a few term deposits, or holdings, per customer: [customers, slots]."""

    value: np.ndarray  # cents; 0 is an empty slot
    cost: np.ndarray
    number: np.ndarray
    product: np.ndarray
    start: np.ndarray  # day
    used: np.ndarray  # [customers], numbers given so far

    @classmethod
    def of(cls, cost: np.ndarray, product: np.ndarray, start: np.ndarray) -> "Slots":
        number = np.broadcast_to(np.arange(cost.shape[1]), cost.shape).copy()
        return cls(cost.copy(), cost.copy(), number, product, start, np.full(len(cost), cost.shape[1]))

    def fill(self, who: np.ndarray, cents: np.ndarray, product: np.ndarray, day: np.ndarray) -> np.ndarray:
        """Put something into an empty slot of each of ``who``; the slots."""
        slot = np.argmax(self.value[who] == 0, axis=1)
        self.value[who, slot] = self.cost[who, slot] = cents
        self.number[who, slot], self.product[who, slot], self.start[who, slot] = self.used[who], product, day
        self.used[who] += 1
        return slot

    @property
    def maturity(self) -> np.ndarray:
        """Day, far away for what has no term."""
        term = TERMS[self.product]
        return np.where(term > 0, self.start + term, 10**6)


@dataclass
class Savings:
    """Term deposits (an account each) and holdings of a chunk of customers."""

    people: People
    deposits: Slots
    holdings: Slots

    @classmethod
    def of(cls, draws: Draws, people: People, timeline: Timeline, wealth: np.ndarray) -> "Savings":
        """Spread a part of the wealth (cents) over deposits and holdings made before the first day."""
        index = people.index[:, None]
        deposit_slots, holding_slots = np.arange(_DEPOSIT_SLOTS), np.arange(_HOLDING_SLOTS)
        share = np.where(
            people.is_enterprise | (wealth < 15 * _THOUSAND), 0, 0.75 * draws.uniform("share", people.index) ** 0.7
        )
        share = np.where(people.is_rich, 0.7 + 0.25 * draws.uniform("share", people.index), share)
        likes = 0.12 + 0.08 * people.appetite[:, None]
        deposit = draws.uniform("deposit", index, deposit_slots) ** 2
        deposit *= draws.uniform("has deposit", index, deposit_slots) < np.where(people.is_rich[:, None], 0.9, 0.4)
        holding = draws.uniform("holding", index, holding_slots) ** 2
        holding *= draws.uniform("has holding", index, holding_slots) < likes
        unit = (wealth * share / (deposit.sum(axis=1) + holding.sum(axis=1) + 1e-9))[:, None]
        product = _DEPOSITS[draws.integers(len(_DEPOSITS), "deposit product", index, deposit_slots)]
        age = 1 + draws.integers(TERMS[product] - 3, "deposit age", index, deposit_slots)
        deposits = Slots.of(
            np.round(deposit * unit / _THOUSAND).astype(np.int64) * _THOUSAND, product, timeline.first - age
        )
        product = _suitable(people, draws.integers(len(_INVESTMENTS), "holding product", index, holding_slots))
        longest = np.where(TERMS[product] > 0, TERMS[product] - 3, 700)
        age = 1 + draws.integers(longest, "holding age", index, holding_slots)
        holdings = Slots.of(
            np.round(holding * unit / _THOUSAND).astype(np.int64) * _THOUSAND, product, timeline.first - age
        )
        return cls(people, deposits, holdings)

    @property
    def total(self) -> np.ndarray:
        """Cents in deposits and holdings, per customer."""
        return self.deposits.value.sum(axis=1) + self.holdings.value.sum(axis=1)

    def open_deposits(self) -> tuple[np.ndarray, np.ndarray]:
        """Account keys (see ``Ledger.write``) and balances."""
        who, slot = np.nonzero(self.deposits.value)
        return who * 1_000 + self._suffix(who, slot), self.deposits.value[who, slot]

    def bring_forward(self, ledger: Ledger, deliveries: Deliveries, day: int) -> None:
        """The first day's postings and rows."""
        who, slot = np.nonzero(self.deposits.value)
        ledger.post(who, self._suffix(who, slot), day, 1, self.deposits.value[who, slot], "brought_forward")
        self._report_deposits(deliveries, who, slot, np.full(len(who), day))
        who, slot = np.nonzero(self.holdings.value)
        self._report_holdings(deliveries, who, slot, np.full(len(who), day), self.holdings.value[who, slot])

    def end(self, turn: Turn, early: np.ndarray, early_day: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pay out what falls due this month, and everything of those who need it ``early``.

        Returns
        -------
        matured, freed
            Cents paid into each main account, as planned and early.
        """
        count = len(self.people)
        matured, freed = np.zeros(count, np.int64), np.zeros(count, np.int64)
        for slots, pay in ((self.deposits, self._pay_deposits), (self.holdings, self._pay_holdings)):
            who, slot = np.nonzero((slots.value > 0) & ((slots.maturity <= turn.month.last) | early[:, None]))
            day = np.where(early[who], early_day[who], slots.maturity[who, slot])
            cents = pay(turn, who, slot, day, slots.maturity[who, slot] > turn.month.last)
            slots.value[who, slot] = 0
            np.add.at(matured, who, np.where(early[who], 0, cents))
            np.add.at(freed, who, np.where(early[who], cents, 0))
        return matured, freed

    def save(self, turn: Turn, may: np.ndarray, idle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Put a part of the idle cents into a deposit or an investment.

        Returns
        -------
        saved, day
            Cents, and the day, per customer.
        """
        people, month = self.people, turn.month
        saved = np.zeros(len(people), np.int64)
        # At the counter, the day that is written to the ledger is that of a visit.
        at_counter = people.uses_branch & (~turn.is_online | (turn.uniform("buys at the branch") < 0.7))
        moment = (1 + 26 * turn.uniform("saving day")) / month.length
        day = np.where(at_counter, turn.season.day("branch", moment), month.first + (moment * month.length).astype(int))
        is_told = _told(turn, day)
        chance = np.where(is_told, _SAVES_WHEN_TOLD, _SAVES)
        wants = may & ~people.is_enterprise & (idle > 5 * _THOUSAND) & (turn.uniform("saves") < chance)
        amount = (idle * (0.4 + 0.4 * turn.uniform("saved")) / _THOUSAND).astype(np.int64) * _THOUSAND
        invests = turn.uniform("invests") < 0.15 + 0.1 * people.appetite
        pick = (turn.uniform("saving product") * 1_000).astype(np.int64)
        takes = is_told & (turn.uniform("takes the offer") < _TAKES_THE_OFFER)
        line = _DEPOSITS if turn.offers.product in _DEPOSITS else _INVESTMENTS
        invests = np.where(takes, line is _INVESTMENTS, invests)
        pick = np.where(takes, np.argmax(line == turn.offers.product), pick)
        who = np.flatnonzero(wants & ~invests & (self.deposits.value == 0).any(axis=1))
        slot = self.deposits.fill(who, amount[who], _DEPOSITS[pick[who] % len(_DEPOSITS)], day[who])
        main_no, deposit_no = (account_no(people.index[who], suffix) for suffix in (MAIN, self._suffix(who, slot)))
        suffix, kind = self._suffix(who, slot), _WAYS_OF_SAVING[0][at_counter[who].astype(int)]
        turn.ledger.post(who, MAIN, day[who], 50_000, -amount[who], kind, deposit_no, OURS)
        turn.ledger.post(who, suffix, day[who], 50_000, amount[who], kind, main_no, OURS)
        turn.buy(who, day[who], self.deposits.product[who, slot], at_counter[who])
        self._report_deposits(turn.deliveries, who, slot, day[who])
        saved[who] = amount[who]
        who = np.flatnonzero(wants & invests & (self.holdings.value == 0).any(axis=1))
        product = _suitable(people, (pick % len(_INVESTMENTS))[:, None])[who, 0]
        slot = self.holdings.fill(who, amount[who], product, day[who])
        kind = _WAYS_OF_SAVING[1][at_counter[who].astype(int)]
        turn.ledger.post(who, MAIN, day[who], 50_000, -amount[who], kind)
        turn.buy(who, day[who], product, at_counter[who])
        self._report_holdings(turn.deliveries, who, slot, day[who], amount[who])
        saved[who] = amount[who]
        return saved, day

    def value(self, turn: Turn) -> None:
        """Value the holdings at the end of the month; what was bought in it is worth what it cost."""
        slots, month = self.holdings, turn.month
        who, slot = np.nonzero((slots.value > 0) & (slots.start < month.first))
        product = slots.product[who, slot]
        market = turn.draws.normal("market", product, month.index)
        change = RATES[product] / 12 + np.where(TERMS[product] == 0, 0.006 * RISKS[product] * market, 0)
        slots.value[who, slot] = np.round(slots.value[who, slot] * (1 + change)).astype(np.int64)
        day = np.full(len(who), month.last)
        self._report_holdings(turn.deliveries, who, slot, day, slots.value[who, slot])

    def _pay_deposits(
        self, turn: Turn, who: np.ndarray, slot: np.ndarray, day: np.ndarray, is_early: np.ndarray
    ) -> np.ndarray:
        slots, index = self.deposits, self.people.index[who]
        principal = slots.value[who, slot]
        rate = np.where(is_early, 0.001, RATES[slots.product[who, slot]])
        interest = (principal * rate * (day - slots.start[who, slot]) / 365).astype(np.int64)
        suffix = self._suffix(who, slot)
        turn.ledger.post(who, suffix, day, 3_600, interest, "interest")
        total = principal + interest
        turn.ledger.post(who, suffix, day, 3_700, -total, "matured", account_no(index, MAIN), OURS)
        turn.ledger.post(who, MAIN, day, 3_700, total, "matured", account_no(index, suffix), OURS)
        self._report_deposits(turn.deliveries, who, slot, day, closed=day)
        return total

    def _pay_holdings(
        self, turn: Turn, who: np.ndarray, slot: np.ndarray, day: np.ndarray, _: np.ndarray
    ) -> np.ndarray:
        turn.ledger.post(who, MAIN, day, 5_400, self.holdings.value[who, slot], "redeem")
        self._report_holdings(turn.deliveries, who, slot, day, np.zeros(len(who), np.int64))
        return self.holdings.value[who, slot]

    def _suffix(self, who: np.ndarray, slot: np.ndarray) -> np.ndarray:
        return FIRST_DEPOSIT + self.deposits.number[who, slot]

    def _report_deposits(
        self,
        deliveries: Deliveries,
        who: np.ndarray,
        slot: np.ndarray,
        day: np.ndarray,
        closed: np.ndarray | None = None,
    ) -> None:
        opened, product = self.deposits.start[who, slot], self.deposits.product[who, slot]
        matures = opened + TERMS[product]
        report_accounts(deliveries, self.people, who, self._suffix(who, slot), day, opened, product, closed, matures)

    def _report_holdings(
        self, deliveries: Deliveries, who: np.ndarray, slot: np.ndarray, day: np.ndarray, value: np.ndarray
    ) -> None:
        index, slots = self.people.index[who], self.holdings
        product, start = slots.product[who, slot], slots.start[who, slot]
        deliveries.write(
            "holdings",
            {
                "holding_id": join("H", numbers(index * 1_000 + slots.number[who, slot], 12)),
                "business_date": day,
                "customer_no": customer_nos(index),
                "product_code": coded(PRODUCT_CODES, product),
                "market_value": value,
                "cost": slots.cost[who, slot],
                "start_date": start,
                "maturity_date": np.where(TERMS[product] > 0, start + TERMS[product], NULL),
            },
            day,
            index,
        )


def _told(turn: Turn, day: np.ndarray) -> np.ndarray:
    """True for whom the month's sales campaign reached before the day."""
    heard = np.full(len(day), turn.month.last)
    who, told = turn.offers.heard
    heard[who] = told
    return day > heard


def _suitable(people: People, pick: np.ndarray) -> np.ndarray:
    """The picked investment where it is within the customer's appetite, else a plain one; [customers, slots]."""
    product = _INVESTMENTS[pick]
    return np.where(
        RISKS[product] <= people.appetite[:, None],
        product,
        np.where(people.appetite[:, None] > 1, PRODUCT["WM01"], PRODUCT["PP01"]),
    )
