"""A customer's money, month by month: the accounts, the large sums that come and go, and leaving the bank."""

from dataclasses import dataclass

import numpy as np

from simulator import firms
from simulator.accounts import report_accounts
from simulator.deliveries import Deliveries
from simulator.draws import Draws
from simulator.income import earn
from simulator.ledger import FIRST_BROKER, KIND, OURS, Ledger, outside_account
from simulator.loans import Loans
from simulator.moods import RELIEF, RETURNING
from simulator.names import BANKS, BROKERS
from simulator.people import MAIN, SECOND, People, account_no
from simulator.reference import PRODUCT
from simulator.savings import Savings
from simulator.spending import spend
from simulator.timeline import Timeline
from simulator.turn import Turn

_LEAST_LEVEL = 0.3  # of the income
RECOVERY = 0.022
"""Share of what a main account lacks against its first level that a customer saves up again in a month."""
Events = dict[str, tuple[np.ndarray, np.ndarray]]  # by name: positions of customers, days
_SPENT_OF_INCOME = 1.0  # the odd sums are spent too
WITHOUT_PAY, STICKY = 0.65, 1.0
"""Share of the usual that a person spends without pay, and the least that an enterprise in trouble spends."""
AWAY = (25, 60)
"""Least and most days after which a large sum that was lent out comes back."""
WITHDRAWN = (0.93, 0.99)
"""Least and most of what there is that leaves at once in a large withdrawal."""
WINDFALL = (3.5, 8.5)
"""Least and most of a windfall, in multiples of the customer's assets with the bank; at least 40,000 yuan."""
_PARKS, _PARKS_NOW = 0.18, 0.75
"""Share of the online customers who lend money through a broker when months end, and how often they do."""
_MODEST, _PLENTY = 14_000_000, 140_000_000  # cents


@dataclass
class Money:
    """Accounts of a chunk of customers; one entry per customer, amounts in cents."""

    people: People
    loans: Loans
    savings: Savings
    is_open: np.ndarray
    main: np.ndarray
    second: np.ndarray
    level: np.ndarray  # where the main account tends to
    home: np.ndarray  # its level at the start, to which those return who gave everything away
    payday: np.ndarray
    parks: np.ndarray  # True for those who move money to a broker and back
    parked: np.ndarray  # now at the broker
    parked_until: np.ndarray  # day

    @classmethod
    def of(cls, draws: Draws, people: People, timeline: Timeline, loans: Loans) -> "Money":
        """The state before the first month: who is a customer then, and where the wealth lies."""
        is_open = people.opened_month < 0
        wealth = np.round(people.wealth * is_open).astype(np.int64) * 100
        savings = Savings.of(draws, people, timeline, wealth)
        liquid = wealth - savings.total
        second = np.where(people.has_second, (liquid * 0.4).astype(np.int64), 0)
        level = np.where(is_open, liquid - second, np.round(people.wealth) * 100)
        parks = (
            people.is_online & ~people.is_enterprise & ~people.is_rich & (draws.uniform("parks", people.index) < _PARKS)
        )
        nothing = np.zeros(len(people), np.int64)
        main = liquid - second
        return cls(
            people,
            loans,
            savings,
            is_open,
            main,
            second,
            level.astype(np.float64),
            level.astype(np.float64),
            people.opened,
            parks,
            nothing,
            nothing.copy(),
        )

    @property
    def aum(self) -> np.ndarray:
        """Cents in accounts and holdings."""
        return self.main + self.second + self.savings.total

    def bring_forward(self, ledger: Ledger, deliveries: Deliveries, first: int) -> None:
        """The first day's postings and rows of what was there before."""
        for suffix, who, balance in self._plain_accounts(self.is_open):
            ledger.post(who, suffix, first, 1, balance[who], "brought_forward")
            self._report(deliveries, who, suffix, np.full(len(who), first))
        self.savings.bring_forward(ledger, deliveries, first)

    def month(self, turn: Turn) -> Events:
        """Post one month; the true events by name (positions, days)."""
        people, month = self.people, turn.month
        count = len(people)
        opening = self._opening(month.index)
        budget, assets = np.where(self.is_open, self.main, 0).astype(np.float64), self.aum
        strained = turn.strain.advance(month.index, turn.moods, turn.active)
        self.level = np.maximum(self.level, _LEAST_LEVEL * 100 * people.income)
        self.level += RECOVERY * np.maximum(self.home - self.level, 0)
        pace = self._pace(turn)
        self._open(turn, np.flatnonzero(turn.opens))
        due = self._repay(turn, budget)
        at_hand = budget.copy()
        payday, pay = earn(turn, budget)
        self.payday = payday
        due += at_hand - budget  # wages
        firms.take(turn)
        due += firms.pay(turn, budget)
        is_in = turn.active & (turn.uniform("windfall") < turn.moods.hazard("windfall"))
        is_out = turn.active & ~is_in & (turn.uniform("outflow") < turn.moods.hazard("outflow"))
        early_day = month.first + np.where(turn.leaves, 6, 2)
        matured, freed = self.savings.end(turn, turn.leaves | is_out, early_day)
        back = np.where(self.parked_until < month.first + 15, self.parked, 0)
        freed = freed + self._unpark(turn, is_out)
        windfalls = self._receive(turn, np.flatnonzero(is_in))
        outflows = self._withdraw(turn, np.flatnonzero(is_out), budget, freed)
        idle = budget - 1.5 * people.income * 100
        saved, day = self.savings.save(turn, turn.active & ~is_in & ~is_out, idle)
        buyers = np.flatnonzero(saved)
        turn.plant("purchase", buyers, day[buyers], saved[buyers])
        budget -= saved
        self._spread(turn, assets, budget, turn.active & ~is_in & ~is_out)
        self.level += matured - saved
        self._park(turn, budget, back, turn.active & ~is_in & ~is_out)
        self.savings.value(turn)
        self._spend(turn, pace, budget, payday, pay, due)
        self._interest(turn)
        self._borrow(turn)
        gone = self._leave(turn, np.flatnonzero(turn.leaves))
        self.main = self.main + turn.ledger.net(count, MAIN)
        self.second = self.second + turn.ledger.net(count, SECOND)
        self.is_open = (self.is_open | turn.opens) & ~turn.leaves
        turn.ledger.write(turn.deliveries, int(people.index[0]), opening)
        turn.moods.shift("windfall", windfalls[0], RELIEF)
        turn.moods.shift("plans", outflows[0], RELIEF)
        missed = self.loans.turned_bad
        arrears = missed, month.first + self.loans.due_day[missed] - 1
        events = {"windfall": windfalls, "outflow": outflows, "churn": gone, "delinquency": arrears}
        strained["guarantor_called"] = np.flatnonzero(turn.strain.called == month.index)
        strained["death"] = np.flatnonzero(self.is_open & turn.dies)
        return events | {name: (who, np.full(len(who), month.first)) for name, who in strained.items()}

    def _pace(self, turn: Turn) -> np.ndarray:
        """How fast each customer spends, 1 as usual: more above the level of the account, less below.

        Without pay people save. An enterprise cannot: rent and wages stay what they are while the turnover falls.
        """
        pace = np.clip((self.main + self.parked) / self.level, 0.1, 3.0)
        month, firm = turn.month.index, self.people.is_enterprise
        is_troubled = turn.strain.is_troubled(month)
        pace = np.where(is_troubled & ~firm, WITHOUT_PAY * np.minimum(pace, 1.0), pace)
        return np.where((is_troubled | turn.strain.is_lost(month)) & firm, np.maximum(pace, STICKY), pace)

    def _plain_accounts(self, among: np.ndarray) -> list[tuple[int, np.ndarray, np.ndarray]]:
        """(suffix, owners, balances of everybody) of main and second accounts."""
        return [
            (MAIN, np.flatnonzero(among), self.main),
            (SECOND, np.flatnonzero(among & self.people.has_second), self.second),
        ]

    def _opening(self, month: int) -> tuple[np.ndarray, np.ndarray]:
        """Keys and balances of accounts at the start of the month; in the first one postings bring them forward."""
        if month == 0:
            return np.array([-1]), np.array([0])
        who = np.arange(len(self.people)) * 1_000
        deposit_keys, deposits = self.savings.open_deposits()
        keys = np.concatenate([who + MAIN, who + SECOND, deposit_keys])
        order = np.argsort(keys, kind="stable")
        return keys[order], np.concatenate([self.main, self.second, deposits])[order]

    def _open(self, turn: Turn, who: np.ndarray) -> None:
        for suffix, owners, _ in self._plain_accounts(turn.opens):
            self._report(turn.deliveries, owners, suffix, self.people.opened[owners])
        cents = np.maximum(np.round(self.people.wealth[who]), 10).astype(np.int64) * 100
        bits = turn.draws.bits("first money", self.people.index[who])
        self._transfer(turn, who, self.people.opened[who], 36_000, cents, "transfer_in", bits)

    def _repay(self, turn: Turn, budget: np.ndarray) -> np.ndarray:
        """Loan payments come first; where money is short, cash is paid in just before. Cents taken off the budget."""
        who, day, cents = self.loans.month(turn, budget)
        turn.ledger.post(who, MAIN, day, 64_800, -cents, "loan_payment")
        total = np.bincount(who, cents, len(self.people)) - self._cover(turn, budget)
        is_short = total > 0.4 * budget
        short = np.flatnonzero(is_short[who])
        turn.ledger.post(who[short], MAIN, day[short], 30_000, cents[short], "cash_in")
        due = np.where(is_short, 0, total)
        budget -= due
        return due

    def _cover(self, turn: Turn, budget: np.ndarray) -> np.ndarray:
        """Guarantors send borrowers the arrears; cents that each borrower gets."""
        got = np.zeros(len(self.people))
        for guarantor, who, day, cents in self.loans.covered:
            numbers = [account_no(self.people.index[side], MAIN) for side in (guarantor, who)]
            turn.ledger.post(guarantor, MAIN, day, 36_000, -cents, "guarantee_out", numbers[1], OURS)
            turn.ledger.post(who, MAIN, day, 36_000, cents, "guarantee_in", numbers[0], OURS)
            np.add.at(got, who, cents)
            np.subtract.at(budget, guarantor, cents)
            turn.strain.called[guarantor] = turn.month.index
        return got

    def _spend(
        self,
        turn: Turn,
        pace: np.ndarray,
        budget: np.ndarray,
        payday: np.ndarray,
        pay: np.ndarray,
        due: np.ndarray,
    ) -> None:
        """Spend what comes in, more if the account is above its level, less below."""
        people = self.people
        usual = people.income * 100 * _SPENT_OF_INCOME - due
        wish = usual * pace * ~turn.idle * np.exp(0.06 * turn.draws.normal("spending", people.index, turn.month.index))
        spend(turn, wish, budget, payday, pay, self.is_open)

    def _receive(self, turn: Turn, who: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A large sum comes in."""
        low, high = WINDFALL
        times = low + (high - low) * turn.uniform("windfall size", who)
        cents = np.round(windfall(times, self.aum[who]) / 100_000).astype(np.int64) * 100_000
        day = turn.season.day("branch", (13 + 14 * turn.uniform("windfall day", who)) / turn.month.length)
        bits = turn.draws.bits("windfall payer", self.people.index[who], turn.month.index)
        self._transfer(turn, who, day, 38_000, cents, "big_in", bits)
        self.level[who] += cents
        return who, day

    def _withdraw(
        self, turn: Turn, who: np.ndarray, budget: np.ndarray, freed: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """A large sum goes out: most of what there is."""
        income = self.people.income[who] * 100
        least, most = WITHDRAWN
        share = least + (most - least) * turn.uniform("outflow share", who)
        at_hand = np.maximum(budget[who] - _LEAST_LEVEL * income, 0) * 0.95
        second = self.second[who]
        moment = turn.uniform("outflow day", who)
        if turn.month.last <= turn.timeline.last:
            day = np.maximum(turn.season.day("branch", (8 + 7 * moment) / turn.month.length), turn.month.first + 8)
        else:  # the few days of a month that is not delivered whole show what a whole one does
            day = turn.month.first + (moment * (turn.timeline.last - turn.month.first + 1)).astype(np.int64)
            # before this month's pay, and before what is parked comes back
            at_hand, freed = np.minimum(at_hand, 0.7 * self.main[who]), np.zeros_like(freed)
        main_no, second_no = (account_no(self.people.index[who], suffix) for suffix in (MAIN, SECOND))
        kind = self._own_transfer(who)
        turn.ledger.post(who, SECOND, day, 36_000, -second, kind, main_no, OURS)
        turn.ledger.post(who, MAIN, day, 36_000, second, kind, second_no, OURS)
        cents = ((at_hand + freed[who] + second) * share).astype(np.int64) // 100 * 100
        returns = turn.uniform("outflow returns", who) < RETURNING
        gone, lent = np.flatnonzero(~returns), np.flatnonzero(returns)
        bits = turn.draws.bits("outflow payee", self.people.index[who[gone]], turn.month.index)
        self._transfer(turn, who[gone], day[gone], 39_000, -cents[gone], "big_out", bits)
        turn.plant("large_outflow", who[gone], day[gone], cents[gone])
        self._to_broker(turn, who[lent], day[lent], -cents[lent])
        turn.plant("lent", who[lent], day[lent], cents[lent])
        self.parked[who[lent]] = cents[lent]
        away = AWAY[0] + ((AWAY[1] - AWAY[0]) * turn.uniform("outflow days", who[lent])).astype(np.int64)
        self.parked_until[who[lent]] = day[lent] + away
        budget[who] -= at_hand
        self.level[who] = np.maximum(self.level[who] + freed[who] + second - cents * ~returns, 0)
        turn.moods.withdrew[who[gone]] = turn.month.index
        return who, day

    def _unpark(self, turn: Turn, needs: np.ndarray) -> np.ndarray:
        """Money comes back from the broker, sooner to those who leave or need it; cents freed for the latter."""
        who = np.flatnonzero((self.parked > 0) & ((self.parked_until <= turn.month.last) | needs | turn.leaves))
        hurry = (needs | turn.leaves)[who]
        day = np.where(hurry, np.minimum(self.parked_until[who], turn.month.first + 7), self.parked_until[who])
        self._to_broker(turn, who, day, self.parked[who])
        freed = np.where(needs, self.parked, 0)
        self.parked = self.parked.copy()
        self.parked[who] = 0
        return freed

    def _park(self, turn: Turn, budget: np.ndarray, back: np.ndarray, may: np.ndarray) -> None:
        """Money goes to a broker over the end of the month: an ebb that means nothing."""
        who = np.flatnonzero(may & self.parks & (self.parked == 0) & (turn.uniform("parks") < _PARKS_NOW))
        share = 0.7 + 0.27 * turn.uniform("park share", who)
        # What has just come back goes again.
        fresh = budget[who] * share
        cents = ((fresh + back[who] * share) / 100_000).astype(np.int64) * 100_000
        day = turn.month.last - 8 + (6 * turn.uniform("park day", who)).astype(np.int64)
        until = day + 5 + (7 * turn.uniform("park days", who)).astype(np.int64)
        budget[who] -= fresh
        self._to_broker(turn, who, day, -cents)
        turn.plant("parking", who, day, cents)
        soon = until <= turn.month.last
        self._to_broker(turn, who[soon], until[soon], cents[soon])
        self.parked[who] = np.where(soon, 0, cents)
        self.parked_until[who] = until

    def _spread(self, turn: Turn, assets: np.ndarray, budget: np.ndarray, may: np.ndarray) -> None:
        """The rich send what exceeds the sum that they keep with one bank to another."""
        most = self.people.wealth * 100
        most = np.where(self.people.is_rich, most, _PLENTY)
        excess = np.minimum(assets - most, 0.9 * budget)
        who = np.flatnonzero(may & (excess > 0.003 * most))
        cents = (excess[who] / 100_000).astype(np.int64) * 100_000
        day = turn.month.first + 4 + (20 * turn.uniform("spread day", who)).astype(np.int64)
        bits = turn.draws.bits("other bank", self.people.index[who])
        kind = np.where(self.people.is_online[who], KIND["transfer_mobile"], KIND["transfer_counter"])
        self._transfer(turn, who, day, 41_000, -cents, kind, bits)
        turn.plant("spread", who, day, cents)
        budget[who] -= cents
        self.level[who] = np.maximum(self.level[who] - cents, 0)

    def _to_broker(self, turn: Turn, who: np.ndarray, day: np.ndarray, cents: np.ndarray) -> None:
        broker = FIRST_BROKER + self.people.index[who] % len(BROKERS)
        turn.ledger.post(who, MAIN, day, 43_000, cents, "to_broker", 0, broker)

    def _interest(self, turn: Turn) -> None:
        if turn.month.number % 3:
            return
        for suffix, who, balance in self._plain_accounts(self.is_open & ~turn.leaves):
            cents = (np.maximum(balance[who], 0) * (0.001 if suffix == MAIN else 0.002) / 4).astype(np.int64)
            turn.ledger.post(who, suffix, turn.month.first + 20, 3_600, cents, "interest")

    def _borrow(self, turn: Turn) -> None:
        """New loans, paid on to a seller the next day."""
        who = self.loans.grant(turn)
        day, cents = self.loans.granted[who], self.loans.principal[who]
        turn.ledger.post(who, MAIN, day, 36_000, cents, "loan_grant")
        bits = turn.draws.bits("seller", self.people.index[who])
        self._transfer(turn, who, day + 1, 40_000, -cents, "transfer_counter", bits)
        turn.plant("loan_spent", who, day + 1, cents)

    def _leave(self, turn: Turn, who: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Close all accounts: the money goes to another bank, some at once, the rest when the account is closed."""
        index, first = self.people.index[who], turn.month.first
        closing = first + 12 + (14 * turn.uniform("closing day", who)).astype(np.int64)
        count = len(self.people)
        rest = (self.second + turn.ledger.net(count, SECOND))[who]
        kind = self._own_transfer(who)
        turn.ledger.post(who, SECOND, first + 8, 40_000, -rest, kind, account_no(index, MAIN), OURS)
        turn.ledger.post(who, MAIN, first + 8, 40_000, rest, kind, account_no(index, SECOND), OURS)
        rest = (self.main + turn.ledger.net(count, MAIN))[who]
        part = (rest * turn.uniform("first part", who)).astype(np.int64) // 10_000 * 10_000
        # Those whom their manager takes along go to the same bank.
        manager = self.people.manager[who]
        bits = turn.draws.bits("new bank", index)
        bits = np.where(turn.follows[who], turn.draws.bits("manager's new bank", manager), bits)
        kind = np.where(self.people.is_online[who], KIND["transfer_mobile"], KIND["transfer_counter"])
        self._transfer(turn, who, first + 9, 45_000, -part, kind, bits)
        self._transfer(turn, who, closing, 60_000, part - rest, kind, bits)
        turn.plant("leaving", who, np.broadcast_to(first + 9, who.shape), part)
        turn.plant("leaving", who, closing, rest - part)
        for suffix, owners, _ in self._plain_accounts(turn.leaves):
            day = closing[np.searchsorted(who, owners)]
            self._report(turn.deliveries, owners, suffix, day, closed=day)
        return who, closing

    def _own_transfer(self, who: np.ndarray) -> np.ndarray:
        """The kind of a transfer between a customer's accounts."""
        return np.where(self.people.is_online[who], KIND["between_accounts"], KIND["between_counter"])

    def _transfer(
        self,
        turn: Turn,
        who: np.ndarray,
        day: np.ndarray | int,
        second: int,
        cents: np.ndarray,
        kind: np.ndarray | str,
        bits: np.ndarray,
    ) -> None:
        """To or from an account at another bank."""
        bank = (bits % np.uint64(len(BANKS))).astype(np.int64)
        turn.ledger.post(who, MAIN, day, second, cents, kind, outside_account(bits), bank)

    def _report(
        self,
        deliveries: Deliveries,
        who: np.ndarray,
        suffix: int,
        day: np.ndarray,
        closed: np.ndarray | None = None,
    ) -> None:
        people = self.people
        opened = people.opened[who]
        if suffix == SECOND:
            opened = np.where(people.opened_month[who] < 0, opened + 20, opened)
            product = np.full(len(who), PRODUCT["SA02"])
        else:
            product = np.where(people.is_enterprise[who], PRODUCT["CA01"], PRODUCT["SA01"])
        report_accounts(deliveries, people, who, suffix, day, opened, product, closed)


def windfall(times: np.ndarray | float, assets: np.ndarray) -> np.ndarray:
    """Cents that come in at once: ``times`` the assets of those who have little, ever less of what others have.

    Nobody gets rich twice: the sum levels off at some 300,000 yuan times ``times``, and with what is here already
    it stays below what the rich keep with one bank.
    """
    sum_in = np.maximum(times * assets / (1 + assets / _MODEST), 4_000_000 * times / WINDFALL[0])
    return np.minimum(sum_in, np.maximum(_PLENTY - assets, 4_000_000))
