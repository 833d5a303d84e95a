"""People as clerks and customers record them: the customer file, cards, registrations, wallet bindings, leads."""

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from simulator import names
from simulator.damage import damage
from simulator.deliveries import COMMUNITY, Deliveries
from simulator.draws import Draws
from simulator.people import (
    MAIN,
    People,
    account_no,
    addresses,
    as_typed,
    customer_nos,
    person_names,
    phone_numbers,
    user_ids,
)
from simulator.reference import BRANCHES_PER_CITY
from simulator.text import NULL, Values, coded, join, numbers
from simulator.timeline import DAY, SHANGHAI, Month, Timeline
from simulator.turn import Turn

_RATINGS = ("R1", "R2", "R3", "R4", "R5")
_PLATFORMS = ("app", "web", "mall")
_CITY_NAMES = tuple(city[0] for city in names.CITIES)
_LEADS_PER_COMMUNITY = 4.0  # a month
_OF_CUSTOMERS = 9 * 10**11
"""Leads who became customers: this plus the customer's index is the lead's number."""


@dataclass
class Records:
    """The identity data of a chunk of customers, and the true person behind every record."""

    people: People
    draws: Draws
    timeline: Timeline
    phone: np.ndarray
    address_version: np.ndarray
    is_hard: bool
    truth: list[tuple[np.ndarray, pa.Array, pa.Array]] = field(default_factory=list)  # owner, party_key, person_id

    @classmethod
    def of(cls, draws: Draws, people: People, timeline: Timeline, is_hard: bool) -> "Records":
        records = cls(people, draws, timeline, people.phone, people.is_duplicate.astype(np.int64), is_hard)
        known = np.flatnonzero(people.opened <= timeline.last)
        online = np.flatnonzero(people.is_online & (people.registered <= timeline.last))
        for prefix, who, keys in (("cif:", known, customer_nos), ("online:", online, user_ids)):
            records._note(people.index[who], join(prefix, keys(people.index[who])), people.person[who])
        return records

    def _note(self, owner: np.ndarray, party_key: pa.Array, person: np.ndarray) -> None:
        """Keep the true person behind records."""
        self.truth.append((owner, party_key, join("P", numbers(person, 9))))

    def _write(
        self,
        deliveries: Deliveries,
        feed: str,
        rows: dict[str, Values],
        day: np.ndarray,
        owner: np.ndarray,
        keys: np.ndarray,
    ) -> None:
        """Write records of persons as they were typed; ``keys`` number the records."""
        deliveries.write(feed, damage(self.draws, feed, rows, keys) if self.is_hard else rows, day, owner)

    def month(self, turn: Turn) -> None:
        """Records opened or changed this month."""
        deliveries, month = turn.deliveries, turn.month
        index, draws = self.people.index, self.draws
        first = month.index == 0
        opens = (self.people.opened_month == month.index) | (first & (self.people.opened_month < 0))
        day = np.where(self.people.opened_month < 0, month.first, self.people.opened)
        changes = turn.active & ~opens & (draws.uniform("record changes", index, month.index) < 0.012)
        moves = changes & (draws.uniform("moves", index, month.index) < 0.5)
        self.address_version = self.address_version + 2 * moves
        renews = changes & ~moves
        self.phone = np.where(renews, phone_numbers(draws, index, month.index + 1), self.phone)
        day = np.where(changes, month.first + draws.integers(27, "record day", index, month.index), day)
        self._customers(deliveries, np.flatnonzero(opens | changes), day)
        self._cards(deliveries, np.flatnonzero(opens), day)
        registered = np.maximum(self.people.registered, month.first if first else 0)
        registers = self.people.is_online & (registered >= month.first) & (registered <= month.last)
        self._registrations(deliveries, np.flatnonzero(registers), registered)
        binds = np.flatnonzero(registers & (self.people.wallet >= 0))
        bound = self.people.registered[binds] * DAY + 52_000 - SHANGHAI
        deliveries.write(
            "wallet_bindings",
            {
                "binding_id": join("WB", numbers(index[binds], 9)),
                "business_date": registered[binds],
                "account_no": account_no(index[binds], MAIN),
                "provider": coded(names.WALLETS, self.people.wallet[binds]),
                "bound_at": bound,
                "unbound_at": np.full(len(binds), NULL),
            },
            registered[binds],
            index[binds],
        )
        self._leads(deliveries, month)

    def _city(self, who: np.ndarray) -> np.ndarray:
        return self.people.branch[who] // BRANCHES_PER_CITY

    def _customers(self, deliveries: Deliveries, who: np.ndarray, day: np.ndarray) -> None:
        if not len(who):
            return
        people = self.people
        index, firm = people.index[who], people.is_enterprise[who]
        household = np.where(people.is_child[who], people.head[who], people.person[who])
        chosen = pa.array(who)
        emails = join(pa.array(self.phone[who], mask=index % 3 > 0).cast(pa.string()), "@example.cn")
        self._write(
            deliveries,
            "customers",
            {
                "customer_no": customer_nos(index),
                "business_date": day[who],
                "party_type": coded(("P", "E"), firm.astype(np.int64)),
                "name": people.name.take(chosen),
                "gender": coded(("M", "F"), np.where(firm, -1, people.is_woman[who])),
                "birth_date": people.birth[who],
                "id_type": coded(("ID", "USCC"), firm.astype(np.int64)),
                "id_no": people.id_no.take(chosen),
                "phone": pa.array(self.phone[who]).cast(pa.string()),
                "email": emails,
                "address": addresses(
                    self.draws, household, self.address_version[who], self._city(who), np.zeros(len(who), bool)
                ),
                "city": coded(_CITY_NAMES, self._city(who)),
                "occupation": coded(
                    (*names.OCCUPATIONS, *names.INDUSTRIES),
                    np.where(firm, len(names.OCCUPATIONS) + index % len(names.INDUSTRIES), people.occupation[who]),
                ),
                "monthly_income": (np.round(people.income[who] / 100) * 10_000).astype(np.int64),
                "risk_rating": coded(_RATINGS, people.appetite[who] - 1),
                "home_branch_code": join("B", numbers(people.branch[who], 4)),
                "opened_date": people.opened[who],
                "is_marketing_opt_out": people.is_opted_out[who],
                "owner_customer_no": customer_nos(people.owner[who]),
            },
            day[who],
            index,
            index,
        )

    def _cards(self, deliveries: Deliveries, who: np.ndarray, day: np.ndarray) -> None:
        index = self.people.index
        has_credit = (self.draws.uniform("credit card", index) < 0.3) & ~self.people.is_enterprise
        for kind, holders in enumerate((who[~self.people.is_enterprise[who]], who[has_credit[who]])):
            deliveries.write(
                "cards",
                {
                    "card_id": join("CD", numbers(index[holders] * 10 + kind, 10)),
                    "business_date": day[holders],
                    "card_no": card_nos(index[holders], kind),
                    "customer_no": customer_nos(index[holders]),
                    "account_no": account_no(index[holders], MAIN),
                    "card_type": coded(("debit", "credit"), np.full(len(holders), kind)),
                    "card_level": coded(
                        ("普卡", "金卡", "白金卡"), (self.people.wealth[holders] > [[1e5], [1e6]]).sum(axis=0)
                    ),
                    "issued_date": np.minimum(self.people.opened[holders] + 3, day[holders]),
                    "credit_limit": np.where(
                        kind, (self.people.income[holders] * 2 // 1_000).astype(np.int64) * 100_000, NULL
                    ),
                    "status": coded(("active",), np.zeros(len(holders), np.int64)),
                },
                day[holders],
                index[holders],
            )

    def _registrations(self, deliveries: Deliveries, who: np.ndarray, day: np.ndarray) -> None:
        if not len(who):
            return
        people, draws = self.people, self.draws
        index = people.index[who]
        # An enterprise's online user is its owner, who types the firm's name.
        texts = as_typed(draws, "customer's slip", index, people.name.take(pa.array(who)).to_pylist(), 0.06)
        has_name = draws.uniform("gives name", index) < 0.93
        has_birth = draws.uniform("gives birth date", index) < 0.7
        number = phone_numbers(draws, index, 77)
        phone = np.where(draws.uniform("same phone", index) < 0.85, self.phone[who], number)
        verified = pa.array(~people.is_verified[who])
        bound = pa.array(~people.has_bound_card[who] | people.is_enterprise[who])
        household = np.where(people.is_child[who], people.head[who], people.person[who])
        self._write(
            deliveries,
            "registrations",
            {
                "user_id": user_ids(index),
                "business_date": day[who],
                "registered_at": people.registered[who] * DAY + 50_000 + index % 9_000 - SHANGHAI,
                "platform": coded(_PLATFORMS, draws.choice([80, 12, 8], "platform", index)),
                "name": pa.array(
                    [text if has else None for text, has in zip(texts, has_name, strict=True)], pa.string()
                ),
                "phone": pa.array(phone).cast(pa.string()),
                "email": join(pa.array(phone, mask=index % 3 > 0).cast(pa.string()), "@example.cn"),
                "birth_date": np.where(has_birth, people.birth[who], NULL),
                "address": addresses(
                    draws, household, self.address_version[who], self._city(who), np.ones(len(who), bool)
                ),
                "city": coded(_CITY_NAMES, self._city(who)),
                "id_no": _without(people.id_no.take(pa.array(who)), verified),
                "bound_card_no": _without(card_nos(index, 0), bound),
                "lead_id": join("L", numbers(pa.array(_OF_CUSTOMERS + index, mask=people.lead_day[who] < 0), 12)),
                "is_marketing_opt_out": people.is_opted_out[who],
            },
            day[who],
            index,
            index,
        )

    def _leads(self, deliveries: Deliveries, month: Month) -> None:
        """Leads of each community: some are customers already, some register online and stay without an account."""
        leads = self._drawn_leads(month)
        if not len(leads.number):
            return
        self._social_leads(deliveries, leads)
        delivered = np.flatnonzero(leads.day <= self.timeline.last)
        owner, lead = leads.owner[delivered], leads.lead.take(pa.array(delivered))
        self._note(owner, join("lead:", lead), leads.person[delivered])
        self._lead_registrations(deliveries, leads)

    def _drawn_leads(self, month: Month) -> "_Leads":
        """The leads of the month, by community."""
        draws, people = self.draws, self.people
        community = np.unique(people.index // COMMUNITY)
        counts = draws.poisson(np.full(len(community), _LEADS_PER_COMMUNITY), "leads", community, month.index)
        home = np.repeat(community, counts)
        nth = np.arange(len(home)) - np.repeat(np.cumsum(counts) - counts, counts)
        # Customers whose community is not full (the last one) have fewer neighbours.
        size = np.minimum(COMMUNITY, people.index[-1] + 1 - home * COMMUNITY)
        member = home * COMMUNITY + draws.integers(size, "lead member", home, month.index, nth) - people.index[0]
        is_known = (draws.uniform("lead known", home, month.index, nth) < 0.35) & ~people.is_enterprise[member]
        is_known &= people.opened[member] < month.first
        stranger = ((home + 1) * 1_000 + month.index) * 100 + nth + 4 * 10**12
        of_strangers = person_names(draws, stranger, stranger, draws.uniform("lead gender", stranger) < 0.5)
        number = (home * 1_000 + month.index) * 100 + nth
        day = month.first + draws.integers(24, "lead day", number)
        coming = np.flatnonzero((people.lead_day >= month.first) & (people.lead_day <= month.last))
        home = np.concatenate([home, people.index[coming] // COMMUNITY])
        member, is_known = np.concatenate([member, coming]), np.append(is_known, np.ones(len(coming), bool))
        number = np.concatenate([number, _OF_CUSTOMERS + people.index[coming]])
        stranger = np.concatenate([stranger, people.index[coming]])
        of_strangers, of_members = of_strangers + [""] * len(coming), people.name.take(pa.array(member)).to_pylist()
        day = np.concatenate([day, people.lead_day[coming]])
        return _Leads(
            number=number,
            lead=join("L", numbers(number, 12)),
            owner=home * COMMUNITY,
            person=np.where(is_known, people.person[member], stranger),
            is_known=is_known,
            day=day,
            stamp=day * DAY + 30_000 + draws.integers(40_000, "lead time", number) - SHANGHAI,
            names=[
                member if is_member else stranger
                for member, stranger, is_member in zip(of_members, of_strangers, is_known, strict=True)
            ],
            phone=np.where(is_known, self.phone[member], phone_numbers(draws, stranger, 0)),
            city=self._city(member),
        )

    def _social_leads(self, deliveries: Deliveries, leads: "_Leads") -> None:
        draws, number = self.draws, leads.number
        interests = ("savings", "fund", "fixed_term_wealth", "loan")
        # Who becomes a customer comes from some sources, and with some wishes, more often.
        has_come, likely = number >= _OF_CUSTOMERS, draws.choice([5, 1, 3, 1], "likely source", number)
        wish = np.where(has_come, draws.choice([5, 1, 3, 1], "likely interest", number), 0)
        self._write(
            deliveries,
            "social_leads",
            {
                "lead_id": leads.lead,
                "business_date": leads.day,
                "captured_at": leads.stamp,
                "source": coded(
                    names.LEAD_SOURCES, np.where(has_come, likely, draws.integers(4, "lead source", number))
                ),
                "name": pa.array(leads.names),
                "phone": pa.array(leads.phone).cast(pa.string()),
                "city": coded(_CITY_NAMES, leads.city),
                "interest": coded(interests, np.where(has_come, wish, draws.integers(4, "interest", number))),
                "cost": 800 + draws.integers(4_000, "lead cost", number),
            },
            leads.day,
            leads.owner,
            number,
        )

    def _lead_registrations(self, deliveries: Deliveries, leads: "_Leads") -> None:
        """Some leads who are no customers register online, two days later."""
        day = leads.day + 2
        registers = self.draws.uniform("lead registers", leads.number) < 0.4
        who = np.flatnonzero((day <= self.timeline.last) & ~leads.is_known & registers)
        number = leads.number[who]
        user = join("U9", numbers(number, 11))
        nothing = pa.nulls(len(who), pa.string())
        self._write(
            deliveries,
            "registrations",
            {
                "user_id": user,
                "business_date": day[who],
                "registered_at": leads.stamp[who] + 2 * DAY,
                "platform": coded(_PLATFORMS, np.zeros(len(who), np.int64)),
                "name": pa.array(as_typed(self.draws, "lead slip", number, [leads.names[i] for i in who], 0.06)),
                "phone": pa.array(leads.phone[who]).cast(pa.string()),
                "email": nothing,
                "birth_date": np.full(len(who), NULL),
                "address": nothing,
                "city": coded(_CITY_NAMES, leads.city[who]),
                "id_no": nothing,
                "bound_card_no": nothing,
                "lead_id": leads.lead.take(pa.array(who)),
                "is_marketing_opt_out": np.zeros(len(who), bool),
            },
            day[who],
            leads.owner[who],
            number,
        )
        self._note(leads.owner[who], join("online:", user), leads.person[who])


@dataclass(frozen=True)
class _Leads:
    """Leads of one month, in the order of their communities; every array has one entry per lead."""

    number: np.ndarray
    lead: pa.Array  # the lead's key
    owner: np.ndarray  # index of the community's first customer
    person: np.ndarray  # index of the true person's first record, or a number beyond all customers
    is_known: np.ndarray  # a customer already
    day: np.ndarray
    stamp: np.ndarray  # UTC seconds
    names: list[str]
    phone: np.ndarray
    city: np.ndarray


def card_nos(index: np.ndarray, kind: int) -> pa.Array:
    """Sixteen-digit card numbers; ``kind`` is the last digit."""
    return numbers(6_217_000_000_000_000 + index * 10 + kind)


def _without(texts: pa.Array, hidden: pa.Array) -> pa.Array:
    """The texts, null where ``hidden``."""
    return pc.if_else(hidden, pa.scalar(None, pa.string()), texts)
