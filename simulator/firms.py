"""The books of small enterprises: a shop's daily takings, a supplier's few buyers, an exporter's rare large sums."""

import numpy as np

from simulator.ledger import KIND, OURS, outside_account
from simulator.names import BANKS
from simulator.people import EXPORTER, MAIN, SHOP, SUPPLIER, account_no
from simulator.turn import Turn

_TIMES = np.array([0.0, 3.0, 0.9, 7.0])  # payments a month from outside, by trade; a shop's takings come daily
_PAYERS = np.cumsum(
    [[1, 0, 0, 0, 0, 0], [0.7, 0.3, 0, 0, 0, 0], [0.6, 0.25, 0.15, 0, 0, 0], [0.35, 0.2, 0.15, 0.1, 0.1, 0.1]], axis=1
)
"""Of the payments from outside, those of each payer, cumulated; the first is the main payer; by trade."""
_RENT = np.array([0.10, 0.05, 0.05, 0.08])  # of the turnover, by trade
_LEAST_OUTSIDE = 0.4  # of a supplier's turnover, however much the firms next door buy
TROUBLED_TURNOVER, TROUBLED_PURCHASES = 0.45, 0.45
"""What an enterprise in trouble still takes, and still pays its supplier."""
_SPENT_AT_MOST = 0.5  # of what is there at the start of the month, on rent and supplies
_FOREIGN = BANKS.index("中国银行")  # through which money from abroad comes


def take(turn: Turn) -> None:
    """Post the month's turnover of every enterprise."""
    people, month = turn.people, turn.month
    level = people.income * np.exp(-0.09 * turn.moods["insecurity"])
    level = level * np.where(turn.strain.is_troubled(month.index), TROUBLED_TURNOVER, 1.0)
    bought = people.share_bought(turn.active)
    level = level * np.where(people.trade == SUPPLIER, np.maximum(1 - bought, _LEAST_OUTSIDE), 1.0)
    _daily(turn, np.flatnonzero(turn.active & (people.trade == SHOP)), level)
    of = np.flatnonzero(turn.active & people.is_enterprise & (people.trade != SHOP))
    trade = people.trade[of]
    counts = turn.draws.poisson(_TIMES[trade], "invoices", people.index[of], month.index)
    counts = np.where(trade == SUPPLIER, int(_TIMES[SUPPLIER]), counts)
    who, nth = np.repeat(of, counts), np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    trade, index = people.trade[who], people.index[who]
    chance = turn.uniform("which payer", who, nth)
    chance = np.where(trade == SUPPLIER, (nth + 0.5) / _TIMES[SUPPLIER], chance)
    payer = (chance[:, None] > _PAYERS[trade]).sum(axis=1)
    size = np.exp(0.3 * turn.draws.normal("invoice", index, month.index, nth) - 0.045)
    cents = np.round(level[who] / _TIMES[trade] * size).astype(np.int64) * 100
    cents = np.where((payer == 0) & turn.strain.is_lost(month.index)[who], 0, cents)
    moment = turn.uniform("invoice day", who, nth)
    moment = np.where(trade == SUPPLIER, (nth + 0.3 + 0.4 * moment) / _TIMES[SUPPLIER], moment)
    bits = turn.draws.bits("payer", index, payer, np.where(payer == 0, turn.strain.changes[who], 0))
    bank = (bits % np.uint64(len(BANKS))).astype(np.int64)
    turn.ledger.post(
        who,
        MAIN,
        turn.season.day("firm", moment),
        28_800 + (40_000 * turn.uniform("invoice time", who, nth)).astype(np.int64),
        cents,
        np.where(trade == EXPORTER, KIND["turnover_abroad"], KIND["turnover_transfer"]),
        outside_account(bits),
        np.where(trade == EXPORTER, _FOREIGN, bank),
    )


def _daily(turn: Turn, shops: np.ndarray, level: np.ndarray) -> None:
    """Card takings, settled on working days; those of a week-end on the next one."""
    working = np.flatnonzero(turn.season.is_working)
    taken = turn.season.shares("shop")[working]
    weight = np.diff(np.append(taken[:-1], 1.0), prepend=0.0)
    who, place = np.repeat(shops, len(working)), np.tile(np.arange(len(working)), len(shops))
    noise = np.exp(0.25 * turn.draws.normal("takings", turn.people.index[who], turn.month.index, place) - 0.031)
    cents = np.round(level[who] * weight[place] * noise).astype(np.int64) * 100
    turn.ledger.post(who, MAIN, turn.month.first + working[place], 21_600, cents, "takings")


def pay(turn: Turn, budget: np.ndarray) -> np.ndarray:
    """Post rent and what the supplier is paid; cents paid, which are taken off the ``budget`` in place."""
    people, month = turn.people, turn.month
    index, first = people.index, people.index[0]
    of = np.flatnonzero(turn.active & people.is_enterprise)
    is_troubled = turn.strain.is_troubled(month.index)[of]
    rent = _RENT[people.trade[of]] * people.income[of]
    supplies = people.purchases[of] * np.where(is_troubled, TROUBLED_PURCHASES, 1.0)
    supplies *= np.exp(0.15 * turn.draws.normal("supplies", index[of], month.index) - 0.011)
    afford = np.minimum(1.0, _SPENT_AT_MOST * np.maximum(budget[of], 0) / np.maximum(100 * (rent + supplies), 1))
    rent, supplies = (np.round(amount * afford).astype(np.int64) * 100 for amount in (rent, supplies))
    kind = np.where(people.is_online[of], KIND["transfer_web"], KIND["transfer_counter"])
    day = turn.season.working_day_before(month.first + 2 + turn.draws.integers(4, "rent day", index[of]))
    bits = turn.draws.bits("landlord", index[of])
    bank = (bits % np.uint64(len(BANKS))).astype(np.int64)
    turn.ledger.post(of, MAIN, day, 36_600, -rent, kind, outside_account(bits), bank)
    usual = 17 + turn.draws.integers(6, "supplies day", index[of])
    late = is_troubled * (3 + turn.draws.integers(5, "supplies late", index[of], month.index))
    day = turn.season.working_day_before(month.first + np.minimum(usual + late, month.length - 1))
    inside = (people.supplier[of] >= 0) & turn.active[np.maximum(people.supplier[of] - first, 0)]
    bits = turn.draws.bits("supplier", index[of])
    bank = np.where(inside, OURS, (bits % np.uint64(len(BANKS))).astype(np.int64))
    payee = np.where(inside, account_no(people.supplier[of], MAIN), outside_account(bits))
    turn.ledger.post(of, MAIN, day, 39_600, -supplies, kind, payee, bank)
    to = people.supplier[of[inside]] - first
    payer = account_no(index[of[inside]], MAIN)
    turn.ledger.post(to, MAIN, day[inside], 39_600, supplies[inside], "turnover_transfer", payer, OURS)
    paid = np.zeros(len(people))
    paid[of] = rent + supplies
    budget -= paid
    return paid
