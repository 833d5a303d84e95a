"""Loans: grants, instalments, lateness that means nothing, arrears that do, and guarantors who pay them."""

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from simulator.deliveries import Deliveries
from simulator.draws import Draws
from simulator.people import MAIN, People, account_no, customer_nos
from simulator.reference import PRODUCT, PRODUCT_CODES, PRODUCTS
from simulator.text import NULL, coded, join, numbers
from simulator.timeline import Month, Timeline
from simulator.turn import Turn

RUNNING, IN_ARREARS, REPAID, WRITTEN_OFF = range(4)
Covered = list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]
Payments = list[tuple[np.ndarray, np.ndarray, np.ndarray]]  # positions of customers, days, cents
_STATUS = ("running", "in_arrears", "repaid", "written_off")
_MILESTONES = (1, 5, 10, 15, 30, 45, 60, 75, 90)
_LATEST_PAYMENT = 20  # days, of an instalment that is paid late for no deeper reason


@dataclass
class Loans:
    """At most one loan per customer; every array has one entry per customer."""

    people: People
    draws: Draws
    timeline: Timeline
    exists: np.ndarray
    status: np.ndarray
    product: np.ndarray
    granted: np.ndarray  # day
    term: np.ndarray  # months
    principal: np.ndarray  # cents
    rate: np.ndarray
    instalment: np.ndarray  # cents
    due_day: np.ndarray  # day of the month, 1 to 25
    paid_count: np.ndarray  # instalments that have fallen due
    turned_bad: np.ndarray  # positions of those who missed the first instalment this month
    missed_since: np.ndarray  # month of the first instalment in arrears, -1 without
    late_habit: np.ndarray  # chance that an instalment is paid late
    guarantor: np.ndarray  # position of who guarantees the loan, -1 without
    is_called: np.ndarray  # the guarantor pays the arrears
    delay: np.ndarray  # days by which this month's instalment is paid late, and last month's
    last_delay: np.ndarray
    covered: Covered = field(default_factory=list)  # this month: guarantors, borrowers, days, cents

    @classmethod
    def of(cls, draws: Draws, people: People, timeline: Timeline) -> "Loans":
        index = people.index
        kind = np.where(people.is_enterprise, 2, draws.choice([7, 3], "loan kind", index))
        product = np.array([PRODUCT["LN01"], PRODUCT["LN02"], PRODUCT["LN03"]])[kind]
        rate = np.array([row[6] or 0 for row in PRODUCTS])[product]
        term = np.array([24, 240, 36])[kind] + np.array([12, 60, 12])[kind] * draws.integers(3, "loan term", index)
        burden = 0.10 + 0.20 * draws.uniform("loan burden", index)
        burden = np.where(people.is_enterprise, 0.05, burden)
        instalment = np.round(people.income * burden) * 100
        principal = np.round(instalment * (1 - (1 + rate / 12) ** -term) / (rate / 12) / 100_000) * 100_000
        factor = (rate / 12) / (1 - (1 + rate / 12) ** -term)
        has = (draws.uniform("has loan", index) < np.where(people.is_enterprise, 0.45, 0.36)) & (
            people.opened_month < 0
        )
        has &= ~people.is_duplicate & ~people.is_sleeper & ~(people.is_child & (people.earns == 0)) & (principal > 0)
        family = np.where((people.head != index) & (index % 3 > 0), people.head, -1)
        owner = np.where(draws.uniform("owner guarantees", index) < 0.7, people.owner, -1)
        guarantor = np.where(people.is_enterprise, owner, family)
        elapsed = draws.integers(np.minimum(term - 2, 30), "loan age", index)
        return cls(
            people,
            draws,
            timeline,
            exists=has,
            status=np.full(len(people), RUNNING),
            product=product,
            granted=timeline.first - 31 * elapsed - 15,
            term=term,
            principal=principal.astype(np.int64),
            rate=rate,
            instalment=np.round(principal * factor).astype(np.int64),
            due_day=1 + draws.integers(25, "due day", index),
            paid_count=elapsed,
            turned_bad=np.zeros(0, np.int64),
            missed_since=np.full(len(people), -1),
            guarantor=np.where(guarantor >= 0, guarantor - index[0], -1),
            is_called=np.zeros(len(people), bool),
            late_habit=0.2 * draws.uniform("late habit", index),
            delay=np.zeros(len(people), np.int64),
            last_delay=np.zeros(len(people), np.int64),
        )

    @property
    def is_running(self) -> np.ndarray:
        return self.exists & (self.status == RUNNING)

    @property
    def is_owed(self) -> np.ndarray:
        return self.exists & (self.status <= IN_ARREARS)

    def loan_nos(self, who: np.ndarray) -> pa.Array:
        """Loan numbers of the customers at the positions ``who``."""
        return join("LN", numbers(self.people.index[who], 9))

    def write_loans(self, deliveries: Deliveries, who: np.ndarray, day: np.ndarray) -> None:
        """Write the full rows of loans that were granted or changed."""
        guarantor = np.where(self.guarantor >= 0, self.people.index[self.guarantor], -1)
        deliveries.write(
            "loans",
            {
                "loan_no": self.loan_nos(who),
                "business_date": day,
                "customer_no": customer_nos(self.people.index[who]),
                "account_no": account_no(self.people.index[who], MAIN),
                "product_code": coded(PRODUCT_CODES, self.product[who]),
                "granted_date": self.granted[who],
                "principal": self.principal[who],
                "term_months": self.term[who],
                "interest_rate": self.rate[who],
                "instalment": self.instalment[who],
                "guarantor_customer_no": customer_nos(guarantor[who]),
                "status": coded(_STATUS, self.status[who]),
            },
            day,
            self.people.index[who],
        )

    def month(self, turn: Turn, budget: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """One month of every loan; those who leave repay theirs early. Guarantors pay from the ``budget`` (cents).

        Returns
        -------
        who, day, cents
            Payments to be taken from the main account.
        """
        deliveries, month, until, is_leaving = turn.deliveries, turn.month, turn.until, turn.leaves
        paid: Payments = []
        due = month.first + self.due_day - 1
        owed = self.is_owed & (self.granted < month.first) & ~is_leaving
        falls_due = owed & (self.paid_count < self.term)
        turns_bad = (
            falls_due
            & (self.missed_since < 0)
            & (self.paid_count < self.term - 4)
            & (turn.uniform("miss") < turn.moods.hazard("delinquency", turn.strain.strikes(month.index)))
        )
        self.turned_bad = np.flatnonzero(turns_bad)
        self.missed_since = np.where(turns_bad, month.index, self.missed_since)
        self._call(turn, budget)
        self._age(deliveries, month)
        self._end_arrears(deliveries, month, paid)

        regular = np.flatnonzero(falls_due & (self.missed_since < 0))
        self.last_delay, self.delay = self.delay, np.zeros(len(self.people), np.int64)
        habit = np.minimum(self.late_habit[regular] * np.exp(1.0 * turn.moods["disorder"][regular]), 0.9)
        is_late = turn.uniform("late", regular) < habit
        delay = is_late * (1 + (_LATEST_PAYMENT * turn.uniform("delay", regular)).astype(np.int64))
        self.delay[regular] = delay
        on_time = regular[delay == 0]
        self._report(deliveries, on_time, month.index, due[on_time], due[on_time], 0, is_paid=True)
        paid.append((on_time, due[on_time], self.instalment[on_time]))
        late = regular[delay > 0]
        self._report(deliveries, late, month.index, due[late], due[late], 0, is_paid=False)
        missed = np.flatnonzero(falls_due & (self.missed_since >= 0))
        self._report(deliveries, missed, month.index, due[missed], due[missed], 0, is_paid=False)
        self._late(turn, 0, until, paid)
        self._late(turn, 1, until, paid)

        self.paid_count = self.paid_count + falls_due
        ended = np.flatnonzero(falls_due & (self.missed_since < 0) & (self.paid_count >= self.term))
        self.status[ended] = REPAID
        self.write_loans(deliveries, ended, due[ended])
        early = np.flatnonzero(self.is_owed & is_leaving)
        self.status[early] = REPAID
        self.write_loans(deliveries, early, until[early])
        paid.append((early, until[early], self._outstanding(early)))
        who, day, cents = (np.concatenate(columns) for columns in zip(*paid, strict=True))
        return who, day, cents

    def grant(self, turn: Turn) -> np.ndarray:
        """New loans of the month; positions of the borrowers, whose ``granted`` and ``principal`` are set."""
        wants = (turn.uniform("wants loan") < 0.006) & turn.active & (self.people.earns > 0)
        may = ~self.exists & (self.principal > 0) & ~self.people.is_duplicate & ~self.people.is_sleeper
        who = np.flatnonzero(wants & may)
        self.exists[who] = True
        self.granted[who] = turn.month.first + 4 + (15 * turn.uniform("grant day", who)).astype(np.int64)
        self.paid_count[who] = 0
        self.write_loans(turn.deliveries, who, self.granted[who])
        return who

    def _late(self, turn: Turn, ago: int, until: np.ndarray, paid: Payments) -> None:
        """Ageing and payment, within this month, of instalments paid late that fell due ``ago`` months before."""
        month = turn.month
        who = np.flatnonzero(self.last_delay if ago else self.delay)
        delay = (self.last_delay if ago else self.delay)[who]
        due_month = self.timeline.months[month.index - ago]
        due = due_month.first + self.due_day[who] - 1
        for milestone in _MILESTONES:
            day = due + milestone
            now = (milestone < delay) & (day >= month.first) & (day <= np.minimum(month.last, until[who]))
            self._report(turn.deliveries, who[now], due_month.index, due[now], day[now], milestone, is_paid=False)
        day = due + delay
        now = (day >= month.first) & (day <= month.last)
        who, due, day = who[now], due[now], np.minimum(day[now], until[who[now]])
        self._report(turn.deliveries, who, due_month.index, due, day, day - due, is_paid=True)
        paid.append((who, day, self.instalment[who]))

    def _age(self, deliveries: Deliveries, month: Month) -> None:
        """Rows of missed instalments that reach a milestone this month; a loan is in arrears from 30 days on."""
        for ago in range(min(5, month.index + 1)):
            due_month = self.timeline.months[month.index - ago]
            who = np.flatnonzero((self.missed_since >= 0) & (self.missed_since <= due_month.index) & self.is_owed)
            due = due_month.first + self.due_day[who] - 1
            for milestone in _MILESTONES:
                day = due + milestone
                now = (day >= month.first) & (day <= month.last) & ~self._ends(who, month, day)
                self._report(deliveries, who[now], due_month.index, due[now], day[now], milestone, is_paid=False)
                if milestone == 30:
                    arrears = now & (self.missed_since[who] == due_month.index)
                    self.status[who[arrears]] = IN_ARREARS
                    self.write_loans(deliveries, who[arrears], day[arrears])

    def _call(self, turn: Turn, budget: np.ndarray) -> None:
        """Guarantors pay in the third month of the arrears, where they have the money."""
        month, guarantor = turn.month, self.guarantor
        who = np.flatnonzero((self.status == IN_ARREARS) & (self.missed_since == month.index - 2) & (guarantor >= 0))
        cents = 2 * self.instalment[who]
        who = who[turn.active[guarantor[who]] & (cents < 0.3 * budget[guarantor[who]])]
        who = who[np.unique(guarantor[who], return_index=True)[1]]
        cents, day = 2 * self.instalment[who], month.first + self.due_day[who] - 1
        self.is_called[who] = True
        self.covered = [(guarantor[who], who, day, cents)]

    def _ends(self, who: np.ndarray, month: Month, day: np.ndarray) -> np.ndarray:
        """True where the arrears end in this month, on or before the day."""
        cures, writes_off = self._outcome(who, month)
        return (cures | writes_off) & (day >= month.first + self.due_day[who] - 1)

    def _outcome(self, who: np.ndarray, month: Month) -> tuple[np.ndarray, np.ndarray]:
        """Whether arrears are cured, or written off, in this month."""
        since = self.missed_since[who]
        is_curable = (self.draws.uniform("cure", self.people.index[who], since) < 0.7) | self.is_called[who]
        return (
            (since >= 0) & is_curable & (month.index == since + 2),
            (since >= 0) & ~is_curable & (month.index == since + 4),
        )

    def _end_arrears(self, deliveries: Deliveries, month: Month, paid: Payments) -> None:
        """Cure in the third month (everything is paid on the due day), or a write-off in the fifth."""
        who = np.flatnonzero(self.status == IN_ARREARS)
        cures, writes_off = self._outcome(who, month)
        day = month.first + self.due_day - 1
        cured = who[cures]
        for ago in (1, 2) if len(cured) else ():  # nobody is cured before the third month, and it may never come
            due_month = self.timeline.months[month.index - ago]
            due = due_month.first + self.due_day[cured] - 1
            self._report(deliveries, cured, due_month.index, due, day[cured], day[cured] - due, is_paid=True)
            paid.append((cured, day[cured], self.instalment[cured]))
        lost = who[writes_off]
        self.status[cured], self.status[lost] = RUNNING, WRITTEN_OFF
        self.missed_since[who[cures | writes_off]] = -1
        self.is_called[cured] = False
        self.write_loans(deliveries, cured, day[cured])
        self.write_loans(deliveries, lost, day[lost])

    def _report(
        self,
        deliveries: Deliveries,
        who: np.ndarray,
        due_month: int,
        due: np.ndarray,
        day: np.ndarray,
        days_past_due: np.ndarray | int,
        is_paid: bool,
    ) -> None:
        index = self.people.index[who]
        deliveries.write(
            "loan_repayments",
            {
                "repayment_id": numbers(index * 1_000 + due_month + 10_000_000_000_000),
                "business_date": day,
                "loan_no": self.loan_nos(who),
                "due_date": due,
                "due_amount": self.instalment[who],
                "paid_amount": self.instalment[who] * is_paid,
                "paid_date": day if is_paid else np.full(len(who), NULL),
                "days_past_due": np.broadcast_to(days_past_due, day.shape).astype(np.int64),
            },
            day,
            index,
        )

    def _outstanding(self, who: np.ndarray) -> np.ndarray:
        growth = (1 + self.rate[who] / 12) ** self.paid_count[who]
        debt = self.principal[who] * growth - self.instalment[who] * (growth - 1) / (self.rate[who] / 12)
        return np.maximum(np.round(debt), 0).astype(np.int64)
