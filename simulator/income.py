"""What comes in for persons: salaries (from enterprises of the community or from outside), pensions, the odd sum."""

import numpy as np

from simulator.ledger import KIND, OURS, outside_account
from simulator.names import BANKS
from simulator.people import MAIN, account_no
from simulator.turn import Turn

_KINDS_OF_PAY = np.array([KIND["transfer_in"], KIND["salary"], KIND["pension"]])  # by People.earns
_PAYDAYS = np.array([5, 10, 10, 15])
_LESS_PAY, _LATER_PAY = 0.7, 9  # of wages that an employer in trouble still pays, and by how many days they are late


def earn(turn: Turn, budget: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Post the month's income.

    Parameters
    ----------
    turn
        The month.
    budget
        Cents that each customer can still pay this month; wage bills of enterprises are taken off in place.

    Returns
    -------
    payday, pay
        Day and cents of each customer's salary or pension; 0 cents without one.
    """
    people, month = turn.people, turn.month
    insecurity = turn.moods["insecurity"]
    everyone = np.arange(len(people))
    # Who must fear for the income is paid less than declared, and later.
    noise = np.exp(0.03 * turn.draws.normal("pay", people.index, month.index) - 0.13 * insecurity)
    cents = np.round(people.income * noise).astype(np.int64) * 100
    delay = np.minimum(turn.uniform("pay delay") * 4 * np.exp(0.6 * insecurity), 12).astype(np.int64)
    usual = _PAYDAYS[turn.draws.integers(4, "payday", np.where(people.employer >= 0, people.employer, people.index))]
    waits = turn.strain.is_employer_troubled(month.index)
    payday = turn.season.working_day_before(month.first - 1 + usual + delay + _LATER_PAY * waits)
    cents = np.where(waits, (_LESS_PAY * cents).astype(np.int64), cents)
    has_pay = turn.active & (people.earns < 3) & ~turn.strain.is_troubled(month.index)
    pay = np.where(has_pay, cents, 0)

    employer = people.employer - people.index[0]
    inside = has_pay & (people.earns == 1) & (people.employer >= 0)
    inside &= turn.active[np.where(inside, employer, 0)]
    staff = np.flatnonzero(inside)
    bill = np.bincount(employer[staff], pay[staff], len(people))
    afford = np.minimum(1, 0.6 * np.maximum(budget, 0) / np.maximum(bill, 1))
    pay[staff] = (pay[staff] * afford[employer[staff]]).astype(np.int64)
    budget -= np.bincount(employer[staff], pay[staff], len(people))
    firm = people.index[employer[staff]]
    turn.ledger.post(staff, MAIN, payday[staff], 32_400, pay[staff], "salary", account_no(firm, MAIN), OURS)
    staff_no = account_no(people.index[staff], MAIN)
    turn.ledger.post(employer[staff], MAIN, payday[staff], 32_400, -pay[staff], "salary", staff_no, OURS)

    outside = everyone[has_pay & ~inside]
    bits = turn.draws.bits("employer", people.index[outside], turn.strain.changes[outside])
    kind = _KINDS_OF_PAY[people.earns[outside]]
    bank = (bits % np.uint64(len(BANKS))).astype(np.int64)
    payer = outside_account(bits)
    turn.ledger.post(outside, MAIN, payday[outside], 32_400, pay[outside], kind, payer, bank)
    if turn.season.has_bonus:
        times = 0.2 + 0.6 * turn.uniform("bonus", outside)
        bonus = np.where(people.earns[outside] == 1, pay[outside] * times, 0).astype(np.int64) // 10_000 * 10_000
        turn.ledger.post(outside, MAIN, payday[outside], 32_500, bonus, "bonus", payer, bank)
    _odd_sums(turn)
    return payday, pay


def _odd_sums(turn: Turn) -> None:
    """Gifts and earnest money of persons."""
    people, month = turn.people, turn.month
    mean = np.minimum(0.35 * np.exp(0.9 * turn.moods["windfall"]), 8)
    who, nth = turn.several("odd sum", np.where(turn.active & ~people.is_enterprise, mean, 0))
    size = np.exp(0.3 * turn.draws.normal("odd sum", people.index[who], month.index, nth) - 0.045)
    cents = np.round(0.05 * people.income[who] * size).astype(np.int64) * 100
    bits = turn.draws.bits("giver", people.index[who], (6 * turn.uniform("giver", who, nth)).astype(np.int64))
    turn.ledger.post(
        who,
        MAIN,
        turn.season.day("online", turn.uniform("odd day", who, nth)),
        28_800 + (40_000 * turn.uniform("odd time", who, nth)).astype(np.int64),
        cents,
        "transfer_in",
        outside_account(bits),
        (bits % np.uint64(len(BANKS))).astype(np.int64),
    )
