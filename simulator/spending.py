"""Everyday spending: how much, on what, and to whom."""

from functools import reduce

import numpy as np

from simulator.deliveries import COMMUNITY
from simulator.ledger import FIRST_FUND, FIRST_WALLET, KIND, OURS, is_one_of, outside_account
from simulator.names import BANKS
from simulator.people import BLOCK, MAIN, SERVICE, SHOP, account_no
from simulator.text import coded, join, numbers
from simulator.timeline import DAY, SHANGHAI
from simulator.turn import Turn

_WAYS = (
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
_KINDS = np.array([KIND[name] for name in _WAYS])
_AT_THE_COUNTER = is_one_of("cash_counter", "transfer_counter", "mmf_counter")
_TRANSFERS = is_one_of("transfer_mobile", "transfer_web", "transfer_counter")
_FUNDS = is_one_of("mmf", "mmf_mobile", "mmf_counter")
_FEE = 1_000  # cents
YIELD_PULL = 0.24
"""By what the logarithm of the pull of wallets and funds grows with the appeal of their yields."""


def spend(
    turn: Turn, wish: np.ndarray, budget: np.ndarray, payday: np.ndarray, pay: np.ndarray, is_open: np.ndarray
) -> None:
    """Post the month's spending, and what reaches others inside the bank.

    Parameters
    ----------
    turn
        The month.
    wish
        Cents that each customer would like to spend.
    budget
        Cents at hand at the start of the month. Until payday no more than this is spent, so that no balance falls
        below nothing.
    payday, pay
        When and how much comes in.
    is_open
        Who was a customer at the start of the month.
    """
    people, moods = turn.people, turn.moods
    at_hand = 0.85 * np.maximum(budget, 0)
    total = np.where(is_open, np.minimum(wish, at_hand + 0.85 * pay), 0)
    rate = np.where(people.is_enterprise, 7.0, np.where(people.is_duplicate, 3.5, 6.3 * np.exp(0.35 * moods["stress"])))
    who, nth = turn.several("spending", np.where(total > 2_000, np.minimum(rate, 20), 0))
    weight = 0.3 - np.log(turn.uniform("spent", who, nth))
    cents = total[who] * weight / np.bincount(who, weight, len(people))[who]
    rows = np.bincount(who, minlength=len(people))
    moment = (nth + turn.uniform("spent day", who, nth)) / rows[who]  # spread over the month
    kind = _kinds(turn, who, nth)
    day = turn.season.day("shop", moment)
    for of, those in (
        ("firm", people.is_enterprise[who]),
        ("cash", kind == KIND["cash_atm"]),
        ("branch", _AT_THE_COUNTER[kind]),
    ):
        day = np.where(those, turn.season.day(of, moment), day)
    early = day <= payday[who]
    before = np.bincount(who[early], cents[early], len(people))
    cents = np.where(early, cents * np.minimum(1, at_hand / np.maximum(before, 1))[who], cents).astype(np.int64)
    second = 7 * 3600 + (turn.uniform("spent time", who, nth) * 15.5 * 3600).astype(np.int64)
    acts = (day >= turn.since[who]) & (day <= turn.until[who]) & (cents > 0)
    _post(turn, who[acts], nth[acts], cents[acts], kind[acts], day[acts], second[acts], is_open)
    _fees(turn, budget)


def _kinds(turn: Turn, who: np.ndarray, nth: np.ndarray) -> np.ndarray:
    """The way of each payment, as moods have it."""
    people, moods = turn.people, turn.moods
    # When outside funds yield more than we pay, they draw everybody.
    pull, near = np.exp(moods["pull"] + YIELD_PULL * turn.appeal), np.exp(-moods["distance"])
    online, firm, has_wallet = people.is_online, people.is_enterprise, people.wallet >= 0
    cash = np.exp(1.25 * moods["plans"]) * (1 + turn.season.rush)
    branch = people.uses_branch
    odds = [
        np.where(firm, 0.3, 2.4) * near**1.1,
        np.where(online, 1.2, 0) * near**1.1,
        1.2 * np.exp(-1.3 * moods["grievance"]),
        np.where(firm, 0.2, np.where(branch, 0.6, 0.75)) * cash,
        np.where(online, 0.3 * branch, 0.5) * cash,
        np.where(firm, 3.0, 0.8) * near**-1.1 * np.where(has_wallet, 1, pull**1.2),
        np.where(has_wallet, 1.15 * pull**1.3, 0),
        np.where(online, 0.75, 0.45) * pull**1.5,
        np.where(firm, 0.8, 0.0),
    ]
    total = reduce(np.add, odds)
    chance = turn.uniform("way", who, nth) * total[who]
    choice, reached = np.zeros(len(who), np.int64), np.zeros(len(people))
    for weight in odds[:-1]:
        reached = reached + weight
        choice += chance > reached[who]
    kind = _KINDS[choice]
    at_a_desk = turn.uniform("by web", who, nth) < np.where(firm, 0.5, 0.1)[who]
    kind = np.where((kind == KIND["transfer_mobile"]) & online[who] & at_a_desk, KIND["transfer_web"], kind)
    kind = np.where((kind == KIND["mmf"]) & ~has_wallet[who], KIND["mmf_mobile"], kind)
    kind = np.where((kind == KIND["mmf_mobile"]) & ~online[who], KIND["mmf_counter"], kind)
    return np.where((kind == KIND["transfer_mobile"]) & ~online[who], KIND["transfer_counter"], kind)


def _post(
    turn: Turn,
    who: np.ndarray,
    nth: np.ndarray,
    cents: np.ndarray,
    kind: np.ndarray,
    day: np.ndarray,
    second: np.ndarray,
    is_open: np.ndarray,
) -> None:
    """Post payments on both sides, where both are customers, and write those of the wallets."""
    people = turn.people
    index, first = people.index[who], people.index[0]
    is_transfer = _TRANSFERS[kind]
    payee = turn.draws.bits("payee", index, (5 * turn.uniform("payee", who, nth)).astype(np.int64))
    provider = np.maximum(people.wallet[who], 0)
    is_wallet, is_fund = kind == KIND["wallet"], _FUNDS[kind]
    bank = np.where(is_transfer, (payee % np.uint64(len(BANKS))).astype(np.int64), -1)
    bank = np.where(is_wallet, FIRST_WALLET + provider, np.where(is_fund, FIRST_FUND + provider, bank))
    account = np.where(is_transfer, outside_account(payee), 0)
    receiver, inside, to_shop = _receivers(turn, who, kind, payee, is_open & ~turn.leaves)
    account = np.where(inside, account_no(receiver, MAIN), account)
    turn.ledger.post(who, MAIN, day, second, -cents, kind, account, np.where(inside, OURS, bank))
    turn.ledger.post(
        receiver[inside] - first,
        MAIN,
        day[inside],
        second[inside],
        cents[inside],
        np.where(to_shop[inside], KIND["turnover_pos"], KIND["transfer_in"]),
        account_no(index[inside], MAIN),
        OURS,
    )
    paid = np.flatnonzero(is_wallet | (kind == KIND["mmf"]))
    _write_wallet_payments(turn, index[paid], nth[paid], cents[paid], is_fund[paid], day[paid], second[paid])


def _receivers(
    turn: Turn, who: np.ndarray, kind: np.ndarray, payee: np.ndarray, receives: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Money that stays inside the bank: to the head of the family, or to the shop next door.

    Parameters
    ----------
    who, kind, payee
        Position of the customer, kind, and random bits that stand for the other side of each payment.
    receives
        Per customer, whether an account of theirs can receive money.

    Returns
    -------
    receiver, inside, to_shop
        Customer index of whoever may receive each payment, whether they do, and whether it is a shop next door.
    """
    people = turn.people
    index, first = people.index[who], people.index[0]
    is_transfer = _TRANSFERS[kind]
    shop = np.minimum(index - index % COMMUNITY % BLOCK + BLOCK - 1, people.index[-1])
    to_shop = (kind == KIND["purchase_pos"]) & (payee % np.uint64(10) == 0) & (shop // COMMUNITY == index // COMMUNITY)
    to_shop &= np.isin(people.trade[shop - first], (SHOP, SERVICE)) & receives[shop - first] & (shop != index)
    head = people.head[who]
    to_head = is_transfer & (payee % np.uint64(3) == 0) & (head != index) & receives[head - first]
    inside = (to_shop | to_head) & ~turn.leaves[who]
    return np.where(to_shop, shop, head), inside, to_shop


def _write_wallet_payments(
    turn: Turn,
    index: np.ndarray,
    nth: np.ndarray,
    cents: np.ndarray,
    is_fund: np.ndarray,
    day: np.ndarray,
    second: np.ndarray,
) -> None:
    """What the wallets deliver about the payments made through them."""
    number = (index * 1_000 + turn.month.index) * 1_000 + nth + 10**14
    purpose = np.where(is_fund, 2, turn.draws.uniform("purpose", number) < 0.2)
    turn.deliveries.write(
        "wallet_payments",
        {
            "payment_id": join("WP", numbers(number)),
            "business_date": day,
            "binding_id": join("WB", numbers(index, 9)),
            "paid_at": day * DAY + second - SHANGHAI,
            "amount": cents,
            "purpose": coded(("merchant", "transfer", "mmf"), purpose),
        },
        day,
        index,
    )


def _fees(turn: Turn, budget: np.ndarray) -> None:
    """Fees for what was overlooked."""
    mean = np.minimum(0.45 * np.exp(1.3 * turn.moods["disorder"]), 5)
    who, nth = turn.several("fee", np.where(turn.active & (0.1 * budget > 8 * _FEE), mean, 0))
    day = turn.month.first + (turn.uniform("fee day", who, nth) * turn.month.length).astype(np.int64)
    turn.ledger.post(who, MAIN, day, 80_000 + nth, np.full(len(who), -_FEE), "fee")
