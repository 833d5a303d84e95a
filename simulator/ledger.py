"""The ledger of one month: postings collected in any order, sorted by account and time, and the balances they leave."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from simulator.deliveries import Deliveries
from simulator.names import BANKS, BROKERS, FUNDS, WALLETS
from simulator.people import account_no
from simulator.text import NULL, coded
from simulator.timeline import DAY, SHANGHAI, Month

# txn_type, channel, remark
_KINDS = {
    "brought_forward": ("brought_forward", "batch", "结转"),
    "salary": ("salary", "batch", "工资"),
    "bonus": ("salary", "batch", "年终奖"),
    "pension": ("pension", "batch", "养老金"),
    "turnover_pos": ("purchase", "pos", "收单结算"),
    "takings": ("purchase", "batch", "收单结算"),
    "turnover_transfer": ("transfer", "batch", "货款"),
    "turnover_abroad": ("transfer", "batch", "跨境汇款"),
    "guarantee_out": ("transfer", "counter", "代偿"),
    "guarantee_in": ("transfer", "batch", "代偿"),
    "purchase_pos": ("purchase", "pos", "消费"),
    "purchase_mobile": ("purchase", "mobile", "网上消费"),
    "utility": ("utility", "batch", "水电燃气费"),
    "tax": ("tax", "batch", "税费"),
    "cash_atm": ("cash", "atm", "取现"),
    "cash_counter": ("cash", "counter", "柜台现金"),
    "cash_in": ("cash", "atm", "存现"),
    "transfer_mobile": ("transfer", "mobile", "转账"),
    "transfer_web": ("transfer", "web", "转账"),
    "transfer_counter": ("transfer", "counter", "转账"),
    "transfer_in": ("transfer", "batch", "转入"),
    "between_accounts": ("transfer", "mobile", "本人账户互转"),
    "between_counter": ("transfer", "counter", "本人账户互转"),
    "matured": ("transfer", "batch", "定期到期转活"),
    "wallet": ("wallet", "wallet", "快捷支付"),
    "mmf": ("mmf", "wallet", "转入货币基金"),
    "mmf_mobile": ("mmf", "mobile", "转入货币基金"),
    "mmf_counter": ("mmf", "counter", "转入货币基金"),
    "interest": ("interest", "batch", "结息"),
    "fee": ("fee", "batch", "手续费"),
    "loan_payment": ("loan_payment", "batch", "贷款还款"),
    "loan_grant": ("loan_grant", "batch", "贷款发放"),
    "invest": ("investment", "mobile", "购买理财"),
    "invest_counter": ("investment", "counter", "购买理财"),
    "redeem": ("investment", "batch", "理财到期赎回"),
    "to_broker": ("investment", "mobile", "银证转账"),
    "big_in": ("transfer", "counter", "大额汇入"),
    "big_out": ("transfer", "counter", "大额汇出"),
}
KIND = {name: code for code, name in enumerate(_KINDS)}


def is_one_of(*names: str) -> np.ndarray:
    """Per code of a kind of posting, whether it is one of these; faster than ``np.isin`` over millions of rows."""
    return np.isin(np.arange(len(KIND)), [KIND[name] for name in names])


_IS_WITHIN = is_one_of("brought_forward", "invest", "invest_counter", "redeem")
_TYPES, _CHANNELS, _REMARKS = zip(*_KINDS.values(), strict=True)

COUNTERPARTY_BANKS = (*BANKS, *WALLETS, *FUNDS, *BROKERS, "本行")
"""Banks, wallets, funds and brokers on the other side; the last is this bank itself."""
FIRST_WALLET, FIRST_FUND = len(BANKS), len(BANKS) + len(WALLETS)
FIRST_BROKER, OURS = FIRST_FUND + len(FUNDS), len(COUNTERPARTY_BANKS) - 1

_SLOTS = 1_000  # account suffixes per customer


@dataclass
class Ledger:
    """Postings of one month on the deposit accounts of one chunk of customers."""

    month: Month
    _parts: list[tuple[np.ndarray, ...]] = field(default_factory=list)

    def post(
        self,
        who: np.ndarray,
        suffix: np.ndarray | int,
        day: np.ndarray | int,
        second: np.ndarray | int,
        cents: np.ndarray,
        kind: np.ndarray | str,
        counterparty: np.ndarray | int = 0,
        bank: np.ndarray | int = -1,
    ) -> None:
        """Add postings.

        Parameters
        ----------
        who, suffix
            Customer's position in the chunk, and last three digits of the account.
        day, second
            Business day, and local second of the day.
        cents
            Amount, positive into the account; zero amounts are dropped.
        kind
            Name or code of a kind of posting.
        counterparty, bank
            Account number (0 for none) and index of ``COUNTERPARTY_BANKS`` (-1 for none).
        """
        code = KIND[kind] if isinstance(kind, str) else kind
        row = np.broadcast_arrays(who, suffix, day, second, cents, code, counterparty, bank)
        keep = row[4] != 0
        self._parts.append(tuple(values if keep.all() else values[keep] for values in row))

    def net(self, customers: int, suffix: int) -> np.ndarray:
        """Sum of the month's postings on one account of every customer, in cents, without what was brought forward."""
        total = np.zeros(customers, np.int64)
        for who, account, _, _, cents, kind, *_ in self._parts:
            mine = (account == suffix) & (kind != KIND["brought_forward"])
            np.add.at(total, who[mine], cents[mine])
        return total

    def flows(self, customers: int, day: int) -> tuple[np.ndarray, np.ndarray]:
        """Money from and to outside the customer's own accounts and holdings, from the first of the month to ``day``.

        Returns
        -------
        change, weighted
            Cents per customer; and cents times the days from the posting to ``day``, both counted.
        """
        change, weighted = np.zeros(customers, np.int64), np.zeros(customers, np.int64)
        for who, _, posted, _, cents, kind, *_ in self._parts:
            counts = (posted <= day) & ~_IS_WITHIN[kind]
            np.add.at(change, who[counts], cents[counts])
            np.add.at(weighted, who[counts], (cents * (day - posted + 1))[counts])
        return change, weighted

    def change_before(self, who: np.ndarray, day: np.ndarray) -> np.ndarray:
        """Money from and to outside since the first of the month, up to the day before each ``day``; cents."""
        owner, _, posted, _, cents, kind, *_ = (np.concatenate(columns) for columns in zip(*self._parts, strict=True))
        counts = np.isin(owner, who) & ~_IS_WITHIN[kind]
        place = owner[counts].astype(np.int64) * 64 + (posted[counts] - self.month.first)
        order = np.argsort(place, kind="stable")
        place, total = place[order], np.concatenate([[0], np.cumsum(cents[counts][order])])
        first = np.searchsorted(place, who.astype(np.int64) * 64)
        last = np.searchsorted(place, who.astype(np.int64) * 64 + (day - self.month.first))
        return total[last] - total[first]

    def write(self, deliveries: Deliveries, first_index: int, opening: tuple[np.ndarray, np.ndarray]) -> None:
        """Write transactions and end-of-day balances.

        Parameters
        ----------
        deliveries
            Where to.
        first_index
            Customer index of the chunk's first customer.
        opening
            Sorted keys (position times 1000 plus suffix) and balances in cents at the start of the month of every
            account that had money then.
        """
        postings = self._sorted()
        index = first_index + postings.account // _SLOTS
        number = account_no(index, postings.account % _SLOTS)
        self._write_transactions(deliveries, postings, index, number)
        day = postings.day
        running = postings.balances(*opening)
        ends = np.flatnonzero(np.diff(postings.account * 64 + day - self.month.first, append=-1))
        deliveries.write(
            "balances",
            {
                "account_no": number[ends],
                "business_date": day[ends],
                "balance": running[ends],
                "currency": coded(("CNY",), np.zeros(len(ends), np.int64)),
            },
            day[ends],
            index[ends],
        )

    def _sorted(self) -> "_Postings":
        """All postings, by account and time; of those of one second, the first posted comes first."""
        who, suffix, day, second, cents, kind, counterparty, bank = (
            np.concatenate(columns) for columns in zip(*self._parts, strict=True)
        )
        account = who.astype(np.int64) * _SLOTS + suffix
        stamp = (day - self.month.first) * DAY + second
        order = np.argsort((account << np.int64(22)) | stamp, kind="stable")
        return _Postings(
            account=account[order],
            day=day[order].astype(np.int64),
            stamp=stamp[order],
            cents=cents[order].astype(np.int64),
            kind=kind[order],
            counterparty=counterparty[order],
            bank=bank[order],
        )

    def _write_transactions(
        self, deliveries: Deliveries, postings: "_Postings", index: np.ndarray, number: np.ndarray
    ) -> None:
        slot = index * _SLOTS + postings.account % _SLOTS
        cents, counterparty = postings.cents, postings.counterparty
        deliveries.write(
            "transactions",
            {
                "txn_id": (slot * 1_000 + self.month.index) * 10_000 + postings.rank,
                "account_no": number,
                "business_date": postings.day,
                "txn_at": self.month.first * DAY + postings.stamp - SHANGHAI,
                "amount": np.abs(cents),
                "direction": coded(("C", "D"), (cents < 0).astype(np.int64)),
                "channel": coded(_CHANNELS, postings.kind),
                "txn_type": coded(_TYPES, postings.kind),
                "counterparty_account": np.where(counterparty == 0, NULL, counterparty),
                "counterparty_bank": coded(COUNTERPARTY_BANKS, postings.bank),
                "remark": coded(_REMARKS, postings.kind),
            },
            postings.day,
            index,
        )


@dataclass(frozen=True)
class _Postings:
    """Postings of one month, by account and time; every array has one entry per posting."""

    account: np.ndarray  # customer's position times 1000 plus suffix
    day: np.ndarray
    stamp: np.ndarray  # local seconds since the month began
    cents: np.ndarray
    kind: np.ndarray
    counterparty: np.ndarray
    bank: np.ndarray

    @cached_property
    def starts(self) -> np.ndarray:
        """Positions of each account's first posting."""
        return np.flatnonzero(np.diff(self.account, prepend=-1))

    @property
    def counts(self) -> np.ndarray:
        """Postings of each account."""
        return np.diff([*self.starts, len(self.account)])

    @property
    def rank(self) -> np.ndarray:
        """Place of each posting within its account, from 0."""
        return np.arange(len(self.account)) - np.repeat(self.starts, self.counts)

    def balances(self, keys: np.ndarray, amounts: np.ndarray) -> np.ndarray:
        """The account's balance in cents after each posting; ``keys`` and ``amounts`` are those of the start."""
        first = self.account[self.starts]
        place = np.minimum(np.searchsorted(keys, first), len(keys) - 1)
        before = np.where(keys[place] == first, amounts[place], 0)
        running = np.cumsum(self.cents)
        before -= running[self.starts] - self.cents[self.starts]
        return running + np.repeat(before, self.counts)


def outside_account(bits: np.ndarray) -> np.ndarray:
    """A 16-digit account number at another bank."""
    return 9_558_000_000_000_000 + (bits % np.uint64(999_999_999_999)).astype(np.int64)
