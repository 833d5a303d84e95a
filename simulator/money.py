"""A customer's money in a month: income, spending, saving, investing, large sums, and leaving the bank."""

from dataclasses import dataclass

import numpy as np

from simulator.deliveries import Deliveries
from simulator.draws import Draws
from simulator.ledger import FIRST_FUND, FIRST_WALLET, KIND, OURS, Ledger, outside_account
from simulator.loans import Loans
from simulator.moods import Moods
from simulator.names import BANKS
from simulator.people import FIRST_DEPOSIT, MAIN, SECOND, People, account_no, customer_nos
from simulator.reference import PRODUCT, PRODUCT_CODES, PRODUCTS
from simulator.text import NULL, coded, join, numbers
from simulator.timeline import DAY, SHANGHAI, Month, Timeline

DEPOSIT_SLOTS, HOLDING_SLOTS = 3, 2
_DEPOSITS = ("FD03", "FD06", "FD12")
_HOLDINGS = ("WM01", "WM02", "FU01", "FU02", "FU03", "PM01", "SD01", "WL01")
_TERMS = np.array([row[5] or 0 for row in PRODUCTS])
_RATES = np.array([row[6] or 0.0 for row in PRODUCTS])
_RISK = np.array([int(row[3][2]) if row[3] else 9 for row in PRODUCTS])
_SPENDING = (
    "purchase_pos",
    "purchase_mobile",
    "utility",
    "cash_atm",
    "cash_counter",
    "transfer_mobile",
    "wallet",
    "mmf",
    "tax",
)
_SPENDING_KINDS = np.array([KIND[name] for name in _SPENDING])


@dataclass
class Money:
    """Accounts and holdings of a chunk of customers; one row per customer, amounts in cents."""

    people: People
    draws: Draws
    timeline: Timeline
    loans: Loans
    first_index: int
    is_open: np.ndarray
    main: np.ndarray
    second: np.ndarray
    # term deposits, [customers, slots]
    deposit: np.ndarray
    deposit_number: np.ndarray
    deposit_product: np.ndarray
    deposit_opened: np.ndarray
    deposit_count: np.ndarray  # [customers]
    # holdings, [customers, slots]
    cost: np.ndarray
    value: np.ndarray
    holding_number: np.ndarray
    holding_product: np.ndarray
    holding_start: np.ndarray
    holding_count: np.ndarray  # [customers]

    @classmethod
    def of(cls, draws: Draws, people: People, timeline: Timeline, loans: Loans) -> "Money":
        """The state before the first month: who is a customer then, and where the wealth lies."""
        count = len(people)
        index = people.index
        is_open = people.opened_month < 0
        wealth = np.round(people.wealth * is_open).astype(np.int64) * 100
        share = np.where(people.is_enterprise, 0, 0.75 * draws.uniform("invested share", index) ** 0.7)
        share = np.where(wealth < 1_500_000, 0, share)
        slots = np.arange(DEPOSIT_SLOTS)
        weights = (draws.uniform("deposit slot", index[:, None], slots) ** 2) * (
            draws.uniform("has deposit", index[:, None], slots) < 0.4
        )
        holding_slots = np.arange(HOLDING_SLOTS)
        held = (draws.uniform("holding slot", index[:, None], holding_slots) ** 2) * (
            draws.uniform("has holding", index[:, None], holding_slots) < 0.12 + 0.08 * people.appetite[:, None]
        )
        total = weights.sum(axis=1) + held.sum(axis=1) + 1e-9
        deposit = np.round(weights * (wealth * share / total)[:, None] / 100_000).astype(np.int64) * 100_000
        cost = np.round(held * (wealth * share / total)[:, None] / 100_000).astype(np.int64) * 100_000
        liquid = wealth - deposit.sum(axis=1) - cost.sum(axis=1)
        second = np.where(people.has_second, (liquid * 0.4).astype(np.int64), 0)
        product = np.array([PRODUCT[code] for code in _DEPOSITS])[
            draws.integers(3, "deposit term", index[:, None], slots)
        ]
        age = draws.integers(_TERMS[product] - 3, "deposit age", index[:, None], slots)
        money = cls(
            people,
            draws,
            timeline,
            loans,
            int(index[0]),
            is_open,
            main=liquid - second,
            second=second,
            deposit=deposit,
            deposit_number=np.where(deposit > 0, slots, 0),
            deposit_product=product,
            deposit_opened=timeline.first - 1 - age,
            deposit_count=np.full(count, DEPOSIT_SLOTS),
            cost=cost,
            value=cost,
            holding_number=np.broadcast_to(holding_slots, cost.shape).copy(),
            holding_product=np.zeros(cost.shape, np.int64),
            holding_start=np.zeros(cost.shape, np.int64),
            holding_count=np.full(count, HOLDING_SLOTS),
        )
        money.holding_product = money._chosen(np.arange(HOLDING_SLOTS), -1)
        term = np.maximum(_TERMS[money.holding_product], 300)
        money.holding_start = (
            timeline.first
            - 1
            - draws.integers(
                np.where(_TERMS[money.holding_product] > 0, term - 20, 700),
                "holding age",
                index[:, None],
                holding_slots,
            )
        )
        money.holding_start = np.maximum(
            money.holding_start,
            np.where(_TERMS[money.holding_product] > 0, timeline.first - _TERMS[money.holding_product] + 3, -99_999),
        )
        return money

    def _chosen(self, slots: np.ndarray, month: int) -> np.ndarray:
        """An investment product within each customer's appetite, [customers, slots]."""
        codes = np.array([PRODUCT[code] for code in _HOLDINGS])
        pick = codes[self.draws.integers(len(codes), "holding product", self.people.index[:, None], slots, month + 1)]
        return np.where(_RISK[pick] <= self.people.appetite[:, None], pick, PRODUCT["WM01"])

    # The start -----------------------------------------------------------------------------------------------------

    def bring_forward(self, ledger: Ledger, deliveries: Deliveries) -> None:
        """The first day's postings and rows of what was there before."""
        first = self.timeline.first
        who = np.flatnonzero(self.is_open)
        ledger.post(who, MAIN, first, 1, self.main[who], "brought_forward")
        self._report_accounts(deliveries, who, MAIN, first, self.people.opened[who], self._main_product(who))
        second = np.flatnonzero(self.is_open & self.people.has_second)
        ledger.post(second, SECOND, first, 1, self.second[second], "brought_forward")
        product = np.full(len(second), PRODUCT["SA02"])
        self._report_accounts(deliveries, second, SECOND, first, self.people.opened[second] + 20, product)
        who, slot = np.nonzero(self.deposit)
        suffix = FIRST_DEPOSIT + self.deposit_number[who, slot]
        ledger.post(who, suffix, first, 1, self.deposit[who, slot], "brought_forward")
        self._report_deposits(deliveries, who, slot, first)
        who, slot = np.nonzero(self.cost)
        self._report_holdings(deliveries, who, slot, np.full(len(who), first), self.value[who, slot])
        # Money is brought forward by postings, so every account starts from nothing.

    # One month -----------------------------------------------------------------------------------------------------

    def month(self, ledger: Ledger, deliveries: Deliveries, month: Month, moods: Moods) -> dict[str, np.ndarray]:
        """Post one month; the true events by name (positions)."""
        people, index = self.people, self.people.index
        count = len(people)
        everyone = np.arange(count)
        opens = people.opened_month == month.index
        is_leaving = (
            self.is_open
            & (self.loans.missed_since < 0)
            & (self.draws.uniform("churn", index, month.index) < moods.hazard("churn"))
        )
        until = np.where(is_leaving, month.first + self.draws.integers(5, "decision", index, month.index), month.last)
        since = np.where(opens, people.opened, month.first)
        active = self.is_open & ~is_leaving  # the whole month
        budget = np.where(self.is_open, self.main, 0).astype(np.float64)

        if opens.any():
            self._open(ledger, deliveries, np.flatnonzero(opens))

        # Loan instalments come first; where money is short, cash is paid in just before.
        who, day, cents = self.loans.month(deliveries, month, moods, until, is_leaving)
        ledger.post(who, MAIN, day, 18 * 3600, -cents, "loan_payment")
        due = np.bincount(who, cents, count)
        short = due[who] > 0.5 * budget[who]
        ledger.post(who[short], MAIN, day[short], 9 * 3600, cents[short], "cash_counter")
        budget -= np.where(due > 0.5 * budget, 0, due)

        self._earn(ledger, month, moods, budget, active, opens, since)
        matured = self._mature(ledger, deliveries, month, is_leaving)
        self._save(ledger, deliveries, month, budget, active & ~matured)
        self._value(deliveries, month, is_leaving)
        self._spend(ledger, deliveries, month, moods, budget, since, until, is_leaving)
        if month.number % 3 == 0:
            day = month.first + 20
            pays = active & (self.main > 10_000)
            ledger.post(everyone[pays], MAIN, day, 3600, (self.main[pays] * 0.001 / 4).astype(np.int64), "interest")
            pays = active & (self.second > 10_000)
            ledger.post(everyone[pays], SECOND, day, 3600, (self.second[pays] * 0.002 / 4).astype(np.int64), "interest")

        borrowers = self.loans.grant(deliveries, month, active & (people.earns > 0))
        granted = self.loans.granted[borrowers]
        principal = self.loans.principal[borrowers]
        ledger.post(borrowers, MAIN, granted, 10 * 3600, principal, "loan_grant")
        ledger.post(
            borrowers,
            MAIN,
            granted + 1,
            11 * 3600,
            -principal,
            "transfer_counter",
            outside_account(self.draws.bits("seller", index[borrowers])),
            self.draws.integers(len(BANKS), "seller", index[borrowers]),
        )
        self._leave(ledger, deliveries, month, np.flatnonzero(is_leaving), until)

        opening = self._opening(month)
        self.main = self.main + ledger.net(count, MAIN) if month.index else ledger.net(count, MAIN)
        self.second = self.second + ledger.net(count, SECOND) if month.index else ledger.net(count, SECOND)
        self.is_open = (self.is_open | opens) & ~is_leaving
        ledger.write(deliveries, self.first_index, opening)
        return {"churn": np.flatnonzero(is_leaving)}

    def _opening(self, month: Month) -> tuple[np.ndarray, np.ndarray]:
        """Keys and balances of accounts at the start of the month (see ``Ledger.write``); none in the first month."""
        if month.index == 0:
            return np.array([-1]), np.array([0])
        who = np.arange(len(self.people)) * 1_000
        keys = np.concatenate([who + MAIN, who + SECOND, self._before[0]])
        amounts = np.concatenate([self.main, self.second, self._before[1]])
        order = np.argsort(keys, kind="stable")
        return keys[order], amounts[order]

    def remember(self) -> None:
        """Note the term deposits at the start of the month."""
        who, slot = np.nonzero(self.deposit)
        self._before = who * 1_000 + FIRST_DEPOSIT + self.deposit_number[who, slot], self.deposit[who, slot]

    def _open(self, ledger: Ledger, deliveries: Deliveries, who: np.ndarray) -> None:
        people = self.people
        first_money = np.maximum(np.round(people.wealth[who]), 10).astype(np.int64) * 100
        bits = self.draws.bits("first money", people.index[who])
        ledger.post(
            who,
            MAIN,
            people.opened[who],
            10 * 3600,
            first_money,
            "transfer_mobile",
            outside_account(bits),
            (bits % np.uint64(len(BANKS))).astype(np.int64),
        )
        self._report_accounts(deliveries, who, MAIN, people.opened[who], people.opened[who], self._main_product(who))
        second = who[people.has_second[who]]
        opened = people.opened[second]
        self._report_accounts(deliveries, second, SECOND, opened, opened, np.full(len(second), PRODUCT["SA02"]))

    def _earn(self, ledger, month: Month, moods: Moods, budget, active, opens, since) -> None:
        people, index, draws = self.people, self.people.index, self.draws
        count = len(people)
        noise = np.exp(0.03 * draws.normal("salary amount", index, month.index))
        payday = month.first + 4 + draws.integers(20, "payday", index)
        wage = np.round(people.income * noise).astype(np.int64) * 100
        # Enterprises of the community pay what they can; whoever just came or leaves is paid from outside.
        employer = people.employer - self.first_index
        inside = (people.employer >= 0) & active & (people.earns == 1)
        inside &= active[np.where(inside, employer, 0)]
        bill = np.bincount(employer[inside], wage[inside], count)
        afford = np.minimum(1, 0.6 * np.maximum(budget, 0) / np.maximum(bill, 1))
        staff = np.flatnonzero(inside)
        pay = (wage[staff] * afford[employer[staff]]).astype(np.int64)
        budget -= np.bincount(employer[staff], pay, count)
        day, own, theirs = payday[staff], account_no(index[staff], MAIN), account_no(index[employer[staff]], MAIN)
        ledger.post(staff, MAIN, day, 32_400, pay, "salary", theirs, OURS)
        ledger.post(employer[staff], MAIN, day, 32_400, -pay, "salary", own, OURS)
        outside = np.flatnonzero(active & ~inside & (people.earns == 1))
        firm = draws.bits("employer", index[outside])
        ledger.post(
            outside,
            MAIN,
            payday[outside],
            32_400,
            wage[outside],
            "salary",
            outside_account(firm),
            (firm % np.uint64(len(BANKS))).astype(np.int64),
        )
        pensioners = np.flatnonzero(active & (people.earns == 2))
        ledger.post(
            pensioners,
            MAIN,
            month.first + 14,
            30_000,
            np.round(people.income[pensioners]).astype(np.int64) * 100,
            "pension",
        )
        # Turnover, and whatever comes in for those without a job.
        lam = np.where(people.earns == 3, 5.0, np.where(people.earns == 0, 1.0, 0.25))
        credits = draws.poisson(np.where(active, lam, 0), "credits", index, month.index)
        who = np.repeat(np.arange(count), credits)
        nth = np.arange(len(who)) - np.repeat(np.cumsum(credits) - credits, credits)
        size = np.where(
            people.earns == 3, people.income / 5, np.where(people.earns == 0, people.income, people.income * 0.15)
        )
        cents = (
            np.round(size[who] * np.exp(0.5 * draws.normal("credit", index[who], month.index, nth) - 0.12)).astype(
                np.int64
            )
            * 100
        )
        bits = draws.bits("payer", index[who], draws.integers(6, "payer", index[who], month.index, nth))
        kind = np.where(people.earns[who] == 3, KIND["turnover_transfer"], KIND["transfer_mobile"])
        ledger.post(
            who,
            MAIN,
            month.first + draws.integers(month.length, "credit day", index[who], month.index, nth),
            28_800 + draws.integers(40_000, "credit time", index[who], month.index, nth),
            cents,
            kind,
            outside_account(bits),
            (bits % np.uint64(len(BANKS))).astype(np.int64),
        )

    def _spend(self, ledger, deliveries, month: Month, moods: Moods, budget, since, until, is_leaving) -> None:
        """Everyday spending. Never more than the month began with, so that no balance falls below nothing."""
        people, index, draws = self.people, self.people.index, self.draws
        count = len(people)
        target = np.maximum(self.main / np.maximum(people.income * 100 * 1.2, 1), 1e-3)
        wish = (
            people.income
            * 100
            * np.clip(target, 0.2, 2.0) ** 0.5
            * np.exp(0.25 * draws.normal("spending", index, month.index) - 0.03)
        )
        total = np.where(self.is_open, np.minimum(0.85 * np.maximum(budget, 0), wish), 0)
        rate = np.where(people.is_enterprise, 8.0, np.where(people.is_duplicate, 1.5, 6.5))
        rows = draws.poisson(np.where(total > 2_000, rate, 0), "spending", index, month.index)
        who = np.repeat(np.arange(count), rows)
        nth = np.arange(len(who)) - np.repeat(np.cumsum(rows) - rows, rows)
        bits = [draws.uniform(stream, index[who], month.index, nth) for stream in ("weight", "kind", "day", "time")]
        weight = 0.1 - np.log(bits[0])
        cents = (total[who] * weight / np.bincount(who, weight, count)[who]).astype(np.int64)
        pull = moods["pull"]
        odds = np.stack(
            [
                np.where(people.is_enterprise, 0.1, 2.4),
                np.where(people.is_online, 1.2, 0.1),
                np.full(count, 0.8),
                np.where(people.is_enterprise, 0.1, 0.7),
                np.where(people.is_online, 0.15, 0.5),
                np.where(people.is_enterprise, 4, 0.8),
                np.where(people.wallet >= 0, 1.4 * np.exp(0.5 * pull), 0),
                np.where(people.is_online, 0.5 * np.exp(0.7 * pull), 0),
                np.where(people.is_enterprise, 0.8, 0),
            ],
            axis=1,
        )
        cumulative = np.cumsum(odds, axis=1)
        cumulative /= cumulative[:, -1:]
        choice = (bits[1][:, None] > cumulative[who]).sum(axis=1)
        kind = _SPENDING_KINDS[choice]
        kind = np.where((kind == KIND["mmf"]) & (people.wallet[who] < 0), KIND["mmf_mobile"], kind)
        kind = np.where((kind == KIND["transfer_mobile"]) & ~people.is_online[who], KIND["transfer_counter"], kind)
        day = month.first + (bits[2] * month.length).astype(np.int64)
        second = 7 * 3600 + (bits[3] * 15.5 * 3600).astype(np.int64)
        keep = (day >= since[who]) & (day <= until[who])
        who, nth, cents, kind, day, second = (values[keep] for values in (who, nth, cents, kind, day, second))
        is_transfer = (kind == KIND["transfer_mobile"]) | (kind == KIND["transfer_counter"])
        payee = draws.bits("payee", index[who], draws.integers(5, "payee", index[who], month.index, nth))
        bank = np.where(is_transfer, (payee % np.uint64(len(BANKS))).astype(np.int64), -1)
        provider = np.maximum(people.wallet[who], 0)
        is_wallet, is_fund = kind == KIND["wallet"], (kind == KIND["mmf"]) | (kind == KIND["mmf_mobile"])
        bank = np.where(is_wallet, FIRST_WALLET + provider, np.where(is_fund, FIRST_FUND + provider, bank))
        account = np.where(is_transfer, outside_account(payee), 0)
        # Some money stays inside the bank: to the head of the family, and to the enterprise next door.
        shop = np.minimum(index[who] - index[who] % 256 % 26 + 25, index[-1])
        shop_open = self.people.is_enterprise[shop - self.first_index] & self.is_open[shop - self.first_index]
        shop_open &= ~is_leaving[shop - self.first_index] & (shop != index[who]) & (shop // 256 == index[who] // 256)
        to_shop = (kind == KIND["purchase_pos"]) & shop_open & (payee % np.uint64(10) == 0)
        head = people.head[who]
        to_head = (
            is_transfer
            & (head != index[who])
            & self.is_open[head - self.first_index]
            & ~is_leaving[head - self.first_index]
        )
        to_head &= payee % np.uint64(3) == 0
        inside = (to_shop | to_head) & ~is_leaving[who]
        payee_index = np.where(to_shop, shop, head)
        account = np.where(inside, account_no(payee_index, MAIN), account)
        bank = np.where(inside, OURS, bank)
        ledger.post(who, MAIN, day, second, -cents, kind, account, bank)
        ledger.post(
            payee_index[inside] - self.first_index,
            MAIN,
            day[inside],
            second[inside],
            cents[inside],
            np.where(to_shop[inside], KIND["turnover_pos"], kind[inside]),
            account_no(index[who[inside]], MAIN),
            OURS,
        )
        by_wallet = np.flatnonzero((is_wallet | (kind == KIND["mmf"])) & (cents > 0))
        payer = who[by_wallet]
        stamp = day[by_wallet] * DAY + second[by_wallet] - SHANGHAI
        purposes = np.where(
            kind[by_wallet] == KIND["mmf"], 2, draws.uniform("purpose", index[payer], month.index, nth[by_wallet]) < 0.2
        )
        deliveries.write(
            "wallet_payments",
            {
                "payment_id": join(
                    "WP", numbers((index[payer] * 1_000 + month.index) * 1_000 + nth[by_wallet] + 10**14)
                ),
                "business_date": day[by_wallet],
                "binding_id": join("WB", numbers(index[payer], 9)),
                "paid_at": stamp,
                "amount": cents[by_wallet],
                "purpose": coded(("merchant", "transfer", "mmf"), purposes.astype(np.int64)),
            },
            day[by_wallet],
            index[payer],
        )

    def _mature(self, ledger, deliveries, month: Month, is_leaving) -> np.ndarray:
        """End the term deposits and investments that fall due, and all of a leaver's; True where something ended."""
        index = self.people.index
        ended = np.zeros(len(self.people), bool)
        leaving_day = month.first + 6
        maturity = self.deposit_opened + _TERMS[self.deposit_product]
        who, slot = np.nonzero((self.deposit > 0) & ((maturity <= month.last) | is_leaving[:, None]))
        if len(who):
            early = maturity[who, slot] > month.last
            day = np.where(is_leaving[who], leaving_day, np.maximum(maturity[who, slot], month.first))
            principal = self.deposit[who, slot]
            held = np.maximum(day - self.deposit_opened[who, slot], 1)
            rate = np.where(early, 0.001, _RATES[self.deposit_product[who, slot]])
            interest = (principal * rate * held / 365).astype(np.int64)
            suffix = FIRST_DEPOSIT + self.deposit_number[who, slot]
            ledger.post(who, suffix, day, 3_600, interest, "interest")
            ledger.post(
                who, suffix, day, 3_700, -(principal + interest), "own_transfer", account_no(index[who], MAIN), OURS
            )
            ledger.post(
                who, MAIN, day, 3_700, principal + interest, "own_transfer", account_no(index[who], suffix), OURS
            )
            self._report_deposits(deliveries, who, slot, day, closed=day)
            self.deposit[who, slot] = 0
            ended[who] = True
        term = _TERMS[self.holding_product]
        ends = np.where(term > 0, self.holding_start + term, 10**6)
        who, slot = np.nonzero((self.cost > 0) & ((ends <= month.last) | is_leaving[:, None]))
        if len(who):
            day = np.where(is_leaving[who], leaving_day, np.maximum(ends[who, slot], month.first))
            ledger.post(who, MAIN, day, 5_400, self.value[who, slot], "redeem")
            self._report_holdings(deliveries, who, slot, day, np.zeros(len(who), np.int64))
            self.cost[who, slot] = 0
            ended[who] = True
        return ended

    def _save(self, ledger, deliveries, month: Month, budget, may) -> None:
        """Put what lies idle into a new term deposit or an investment."""
        index, draws, people = self.people.index, self.draws, self.people
        idle = budget - 2.2 * people.income * 100
        wants = may & ~people.is_enterprise & (idle > 500_000) & (draws.uniform("saves", index, month.index) < 0.18)
        amount = (idle * (0.4 + 0.4 * draws.uniform("saved", index, month.index)) / 100_000).astype(np.int64) * 100_000
        invests = draws.uniform("invests", index, month.index) < 0.15 + 0.1 * people.appetite
        day = month.first + 1 + draws.integers(26, "saving day", index, month.index)
        slot = np.argmax(self.deposit == 0, axis=1)
        who = np.flatnonzero(wants & ~invests & (self.deposit == 0).any(axis=1))
        if len(who):
            slot = slot[who]
            self.deposit[who, slot] = amount[who]
            self.deposit_number[who, slot] = self.deposit_count[who]
            self.deposit_count[who] += 1
            self.deposit_product[who, slot] = np.array([PRODUCT[code] for code in _DEPOSITS])[
                draws.integers(3, "deposit term", index[who], month.index, 9)
            ]
            self.deposit_opened[who, slot] = day[who]
            budget[who] -= amount[who]
            suffix = FIRST_DEPOSIT + self.deposit_number[who, slot]
            ledger.post(who, MAIN, day[who], 50_000, -amount[who], "own_transfer", account_no(index[who], suffix), OURS)
            ledger.post(who, suffix, day[who], 50_000, amount[who], "own_transfer", account_no(index[who], MAIN), OURS)
            self._report_deposits(deliveries, who, slot, day[who])
        slot = np.argmax(self.cost == 0, axis=1)
        who = np.flatnonzero(wants & invests & (self.cost == 0).any(axis=1))
        if len(who):
            slot = slot[who]
            self.cost[who, slot] = self.value[who, slot] = amount[who]
            self.holding_number[who, slot] = self.holding_count[who]
            self.holding_count[who] += 1
            self.holding_product[who, slot] = self._chosen(np.array([0]), month.index)[who, 0]
            self.holding_start[who, slot] = day[who]
            budget[who] -= amount[who]
            ledger.post(who, MAIN, day[who], 50_000, -amount[who], "invest")
            self._report_holdings(deliveries, who, slot, day[who], amount[who])

    def _value(self, deliveries, month: Month, is_leaving) -> None:
        """Value every holding at the end of the month."""
        who, slot = np.nonzero(self.cost)
        if not len(who):
            return
        product = self.holding_product[who, slot]
        is_volatile = _TERMS[product] == 0
        market = self.draws.normal("market", product, month.index)
        change = _RATES[product] / 12 + np.where(is_volatile, 0.006 * _RISK[product] * market, 0)
        fresh = self.holding_start[who, slot] >= month.first
        value = self.value[who, slot]
        value = np.where(fresh, value, np.round(value * (1 + change))).astype(np.int64)
        self.value[who, slot] = value
        self._report_holdings(deliveries, who[~fresh], slot[~fresh], np.full((~fresh).sum(), month.last), value[~fresh])

    def _leave(self, ledger, deliveries, month: Month, who: np.ndarray, until: np.ndarray) -> None:
        """Close all accounts: the money goes to another bank, some at once, the rest when the account is closed."""
        if not len(who):
            return
        index, draws = self.people.index, self.draws
        bits = draws.bits("new bank", index[who])
        bank = (bits % np.uint64(len(BANKS))).astype(np.int64)
        closing = month.first + 12 + draws.integers(14, "closing day", index[who], month.index)
        before = 0 if month.index == 0 else self.second[who]
        rest = before + ledger.net(len(self.people), SECOND)[who]
        ledger.post(who, SECOND, month.first + 8, 40_000, -rest, "own_transfer", account_no(index[who], MAIN), OURS)
        ledger.post(who, MAIN, month.first + 8, 40_000, rest, "own_transfer", account_no(index[who], SECOND), OURS)
        before = 0 if month.index == 0 else self.main[who]
        rest = before + ledger.net(len(self.people), MAIN)[who]
        part = (rest * draws.uniform("first part", index[who])).astype(np.int64) // 10_000 * 10_000
        kind = np.where(self.people.is_online[who], KIND["transfer_mobile"], KIND["transfer_counter"])
        ledger.post(who, MAIN, month.first + 9, 45_000, -part, kind, outside_account(bits), bank)
        ledger.post(who, MAIN, closing, 60_000, -(rest - part), kind, outside_account(bits), bank)
        self._report_accounts(
            deliveries, who, MAIN, closing, self.people.opened[who], self._main_product(who), closed=closing
        )
        second = self.people.has_second[who]
        opened = np.where(self.people.opened_month[who] < 0, self.people.opened[who] + 20, self.people.opened[who])
        self._report_accounts(
            deliveries,
            who[second],
            SECOND,
            closing[second],
            opened[second],
            np.full(second.sum(), PRODUCT["SA02"]),
            closed=closing[second],
        )

    # Rows ----------------------------------------------------------------------------------------------------------

    def _main_product(self, who: np.ndarray) -> np.ndarray:
        return np.where(self.people.is_enterprise[who], PRODUCT["CA01"], PRODUCT["SA01"])

    def _report_deposits(self, deliveries, who, slot, day, closed=None) -> None:
        opened = self.deposit_opened[who, slot]
        product = self.deposit_product[who, slot]
        suffix = FIRST_DEPOSIT + self.deposit_number[who, slot]
        self._report_accounts(deliveries, who, suffix, day, opened, product, closed, opened + _TERMS[product])

    def _report_accounts(self, deliveries, who, suffix, day, opened, product, closed=None, matures=None) -> None:
        index = self.people.index[who]
        nothing = np.full(len(who), NULL)
        day = np.broadcast_to(day, index.shape)
        deliveries.write(
            "accounts",
            {
                "account_no": account_no(index, suffix),
                "business_date": day,
                "customer_no": customer_nos(index),
                "product_code": coded(PRODUCT_CODES, product),
                "branch_code": join("B", numbers(self.people.branch[who], 4)),
                "currency": coded(("CNY",), np.zeros(len(who), np.int64)),
                "opened_date": opened,
                "closed_date": nothing if closed is None else closed,
                "maturity_date": nothing if matures is None else matures,
                "interest_rate": _RATES[product],
                "status": coded(("open", "closed"), np.full(len(who), 0 if closed is None else 1)),
            },
            day,
            index,
        )

    def _report_holdings(self, deliveries, who, slot, day, value) -> None:
        index = self.people.index[who]
        product, start = self.holding_product[who, slot], self.holding_start[who, slot]
        deliveries.write(
            "holdings",
            {
                "holding_id": join("H", numbers(index * 1_000 + self.holding_number[who, slot], 12)),
                "business_date": day,
                "customer_no": customer_nos(index),
                "product_code": coded(PRODUCT_CODES, product),
                "market_value": value,
                "cost": self.cost[who, slot],
                "start_date": start,
                "maturity_date": np.where(_TERMS[product] > 0, start + _TERMS[product], NULL),
            },
            day,
            index,
        )
