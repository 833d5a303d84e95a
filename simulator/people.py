"""Who the customers are: persons in families, small enterprises with their owners and staff, and how they are recorded.

A community is 256 consecutive customer numbers, laid out in blocks of 26: families of one to four persons in the first
25 places, an enterprise in the last. Customers deal only with others of their community inside the bank.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from simulator import names
from simulator.deliveries import COMMUNITY
from simulator.draws import Draws
from simulator.reference import BRANCHES_PER_CITY, MANAGERS_PER_BRANCH
from simulator.text import join, numbers
from simulator.timeline import Timeline

BLOCK = 26
_FAMILY_SIZES = (1, 1, 2, 2, 2, 3, 4, 3, 3, 4)
_HEAD = np.array([*np.repeat(np.cumsum((0, *_FAMILY_SIZES[:-1])), _FAMILY_SIZES), BLOCK - 1])  # place of the head
_SIZE = np.array([*np.repeat(_FAMILY_SIZES, _FAMILY_SIZES), 1])
_HEADS = np.unique(_HEAD[: BLOCK - 1])
_PLACE = np.arange(BLOCK) - _HEAD  # 0 head, 1 spouse, 2 and 3 children

AGE_OF_PENSION = 60
_MOST_OF_THE_BANK, _BANK = 0.0181, 2_000
"""Share of the assets of a bank of so many customers that a rich one keeps there; the rest lies with other banks."""
_RICH = 0.013  # share of the records
_SAMPLE = 2_048  # records from which the typical wealth is taken: a whole bank of 2,000
JOINING = 0.009
"""Share of the customers that join in a month."""
SLEEPERS, SLEEPING_DUPLICATES = 0.17, 0.6
"""Share of the persons, and of the second records of a person, whose accounts sleep at some time."""
SHOP, SUPPLIER, EXPORTER, SERVICE = range(4)
_TRADES = np.array([SHOP, SUPPLIER, SHOP, SERVICE, EXPORTER, SHOP, SUPPLIER, SHOP, SERVICE])  # of a community's nine
_SUPPLIES = np.array([0.25, 0.2, 0.2, 0.1])  # of its turnover, what an enterprise pays its main supplier, by trade
_MOST_BOUGHT = 0.8  # of a supplier's turnover, by the enterprises of the community
COMING_BY_LEAD = 0.11
"""Share of the persons among them who left their number on a social channel before."""
MAIN, SECOND, FIRST_DEPOSIT = 1, 2, 100
"""Last three digits of an account number: main account, second savings account, the first term deposit."""


@dataclass(frozen=True)
class People:
    """Customer records with consecutive numbers; every array has one entry per record."""

    index: np.ndarray
    person: np.ndarray  # index of the true person's first record
    is_enterprise: np.ndarray
    is_duplicate: np.ndarray
    is_child: np.ndarray
    is_rich: np.ndarray
    owner: np.ndarray  # index of an enterprise's owner, else -1
    head: np.ndarray  # index of the head of the family
    authorised: np.ndarray  # index of the spouse who may use the main account, else -1
    employer: np.ndarray  # index of the enterprise that pays the salary, -1 for one outside
    trade: np.ndarray  # of an enterprise, else -1
    supplier: np.ndarray  # index of the enterprise of the community from which an enterprise buys, else -1
    purchases: np.ndarray  # CNY a month, of an enterprise from its main supplier; float
    earns: np.ndarray  # 0 nothing, 1 salary, 2 pension, 3 turnover
    is_sleeper: np.ndarray  # whose accounts sleep at some time
    is_woman: np.ndarray
    birth: np.ndarray  # day
    income: np.ndarray  # float, CNY a month
    wealth: np.ndarray  # float, CNY at the start, deposits and investments
    appetite: np.ndarray  # risk appetite 1 to 5
    branch: np.ndarray
    manager: np.ndarray  # relationship manager, -1 in the long tail
    opened: np.ndarray  # day
    opened_month: np.ndarray  # index of the month, -1 before the start
    name: pa.Array
    occupation: np.ndarray
    phone: np.ndarray
    id_no: pa.Array
    is_opted_out: np.ndarray
    is_online: np.ndarray
    uses_branch: np.ndarray  # False for those who do everything online
    registered: np.ndarray  # day of the registration (shown from the first day on)
    is_verified: np.ndarray
    has_bound_card: np.ndarray
    wallet: np.ndarray  # bound wallet, -1 none
    lead_day: np.ndarray  # day on which a new customer left their number on a social channel, -1 without
    has_second: np.ndarray  # a second savings account

    def __len__(self) -> int:
        return len(self.index)

    def share_bought(self, by: np.ndarray) -> np.ndarray:
        """The purchases of the enterprises ``by`` whom (True) from each supplier, as a share of its turnover."""
        buyers = np.flatnonzero(by & (self.supplier >= 0))
        return np.bincount(self.supplier[buyers] - self.index[0], self.purchases[buyers], len(self)) / self.income


def plenty(draws: Draws, customers: int, timeline: Timeline) -> float:
    """CNY that a rich customer keeps with this bank: a share of all that a bank of 2,000 such customers would hold."""
    families = _Families.of(draws, np.arange(min(customers, _SAMPLE)))
    age = _ages(draws, families)
    income = _incomes(draws, families, _earnings(draws, families, age))
    opened_month = _openings(draws, families, age, timeline)[1]
    wealth = _wealth(draws, families, income, opened_month >= 0, 0.0, _sleepers(draws, families))
    typical = float(np.where(opened_month >= 0, 0, wealth).mean())
    return _MOST_OF_THE_BANK * _BANK * typical / (1 - _MOST_OF_THE_BANK * _BANK * _RICH)


def people(draws: Draws, first: int, last: int, customers: int, timeline: Timeline, most: float) -> People:
    """Records ``first`` to ``last`` (exclusive) of a bank of ``customers`` records; ``first`` starts a community.

    ``most`` is what a rich customer keeps with the bank, in CNY.
    """
    index = np.arange(first, last)
    families = _Families.of(draws, index)
    person, is_enterprise, is_duplicate = families.person, families.is_enterprise, families.is_duplicate
    age = _ages(draws, families)
    birth = timeline.first - np.round(age * 365.25).astype(np.int64)
    is_woman = _genders(draws, families)
    earns = _earnings(draws, families, age)
    income = _incomes(draws, families, earns)
    opened, opened_month = _openings(draws, families, age, timeline)
    is_sleeper = _sleepers(draws, families)
    wealth = _wealth(draws, families, income, opened_month >= 0, most, is_sleeper)
    trade, supplier, purchases = _trades(draws, families, income, customers)
    city, branch = _homes(draws, families, customers)
    is_online = draws.uniform("online", index) < np.where(is_enterprise, 0.5, np.where(age > 65, 0.45, 0.85))
    has_wallet = is_online & ~is_enterprise & (draws.uniform("wallet", index) < 0.8)
    return People(
        index=index,
        person=person,
        is_enterprise=is_enterprise,
        is_duplicate=is_duplicate,
        is_child=families.is_child,
        is_rich=families.is_rich,
        owner=families.owner,
        head=families.head,
        authorised=families.authorised,
        employer=_employers(draws, families, earns, customers),
        trade=trade,
        supplier=supplier,
        purchases=purchases,
        earns=earns,
        is_sleeper=is_sleeper,
        is_woman=is_woman,
        birth=birth,
        income=income,
        wealth=wealth,
        appetite=1 + draws.choice([20, 35, 25, 14, 6], "risk appetite", person),
        branch=branch,
        manager=_managers(draws, families, branch, wealth),
        opened=opened,
        opened_month=opened_month,
        name=_names(draws, families, is_woman),
        occupation=np.where(earns == 2, 12, draws.integers(12, "occupation", person)),
        phone=phone_numbers(draws, _phone_holders(draws, families), 0),
        id_no=_identity_numbers(draws, families, city, birth, is_woman),
        is_opted_out=draws.uniform("opted out", index) < 0.06,
        is_online=is_online,
        uses_branch=~is_online | (draws.uniform("uses branch", index) < np.where(is_enterprise, 0.8, 0.45)),
        registered=_registrations(draws, index, opened, opened_month, timeline),
        is_verified=draws.uniform("verified", index) < 0.5,
        has_bound_card=draws.uniform("bound card", index) < 0.4,
        wallet=np.where(has_wallet, draws.integers(2, "wallet provider", index), -1),
        lead_day=_lead_days(draws, families, opened, opened_month, timeline),
        has_second=~is_enterprise & ~is_duplicate & (draws.uniform("second account", index) < 0.25),
    )


def _homes(draws: Draws, families: "_Families", customers: int) -> tuple[np.ndarray, np.ndarray]:
    """City and branch; a community lives in one city, a family goes to one branch."""
    communities = -(-customers // COMMUNITY)
    city = (families.index // COMMUNITY) % min(len(names.CITIES), communities)
    return city, city * BRANCHES_PER_CITY + draws.integers(BRANCHES_PER_CITY, "branch", families.head)


def _managers(draws: Draws, families: "_Families", branch: np.ndarray, wealth: np.ndarray) -> np.ndarray:
    """Relationship managers, most of them of the wealthy; -1: none."""
    is_managed = (wealth > 300_000) | (draws.uniform("managed", families.index) < 0.1) & ~families.is_duplicate
    manager = branch * MANAGERS_PER_BRANCH + draws.integers(MANAGERS_PER_BRANCH, "manager", families.index)
    return np.where(is_managed, manager, -1)


@dataclass(frozen=True)
class _Families:
    """Who belongs to whom, by the place of each record in its block; every array has one entry per record."""

    index: np.ndarray
    start: np.ndarray  # index of the block's first record
    head: np.ndarray  # index of the head of the family
    person: np.ndarray  # index of the true person's first record
    owner: np.ndarray  # index of an enterprise's owner, else -1
    authorised: np.ndarray  # index of the spouse who may use the main account, else -1
    is_enterprise: np.ndarray
    is_second: np.ndarray  # the record after the head: a spouse, or a duplicate of the head
    is_duplicate: np.ndarray
    is_child: np.ndarray
    is_rich: np.ndarray
    is_twin: np.ndarray

    @classmethod
    def of(cls, draws: Draws, index: np.ndarray) -> "_Families":
        place = index % COMMUNITY % BLOCK
        start = index - place
        head = start + _HEAD[place]
        is_second = _PLACE[place] == 1
        is_duplicate = (_SIZE[place] == 2) & is_second & (draws.uniform("duplicate", index) < 0.35)
        has_spouse = np.append((is_second & ~is_duplicate)[1:], False)  # a spouse comes right after the head
        shares_account = has_spouse & (draws.uniform("spouse uses account", index) < 0.3)
        is_enterprise = place == BLOCK - 1
        # One rich family in every third block: by chance alone a small bank would have none, or too many.
        block = index % COMMUNITY // BLOCK
        has_rich = (block + index // COMMUNITY + draws.integers(3, "rich", 0)) % 3 == 0
        rich_head = start + _HEADS[draws.integers(len(_HEADS), "rich head", start)]
        return cls(
            index=index,
            start=start,
            head=head,
            person=np.where(is_duplicate, head, index),
            owner=np.where(is_enterprise, start + draws.integers(10, "owner", index), -1),
            authorised=np.where(shares_account, index + 1, -1),
            is_enterprise=is_enterprise,
            is_second=is_second,
            is_duplicate=is_duplicate,
            is_child=_PLACE[place] >= 2,
            is_rich=has_rich & (index == rich_head),
            is_twin=(_SIZE[place] == 4) & (_PLACE[place] == 3) & (draws.uniform("twin", head) < 0.5),
        )

    @property
    def is_spouse(self) -> np.ndarray:
        return self.is_second & ~self.is_duplicate


def _ages(draws: Draws, families: _Families) -> np.ndarray:
    """Years at the start of the history, of an enterprise since its foundation; float."""
    index = families.index
    of_head = 30 + 40 * draws.uniform("age", families.head)
    elder_twin = np.where(families.is_twin, index - 1, index)
    of_child = np.maximum(of_head - 26, 16) + 4 * draws.uniform("age of child", elder_twin)
    to_head = np.where(families.is_second, -4 + 6 * draws.uniform("age of spouse", index), 0)
    age = np.where(families.is_child, of_child, of_head + to_head)
    age = np.where(families.is_duplicate, of_head, age)
    return np.where(families.is_enterprise, 2 + 18 * draws.uniform("age of firm", index), age)


def _genders(draws: Draws, families: _Families) -> np.ndarray:
    """True for women; a spouse has the other gender than the head."""
    is_head_woman = draws.uniform("gender", families.head) < 0.35
    drawn_by = np.where(families.is_child, families.index, families.head)
    is_woman = np.where(families.is_second, ~is_head_woman, draws.uniform("gender", drawn_by) < 0.35)
    return np.where(families.is_duplicate, is_head_woman, is_woman)


def _earnings(draws: Draws, families: _Families, age: np.ndarray) -> np.ndarray:
    """What each record lives on: 0 nothing, 1 salary, 2 pension, 3 turnover."""
    has_job = draws.uniform("has job", families.person) < 0.88
    earns = np.where(age >= AGE_OF_PENSION, 2, np.where(has_job, 1, 0))
    return np.where(families.is_enterprise, 3, np.where(families.is_duplicate, 0, earns))


def _incomes(draws: Draws, families: _Families, earns: np.ndarray) -> np.ndarray:
    """CNY a month, of an enterprise its turnover; float."""
    income = np.exp(np.log(9_000) + 0.55 * draws.normal("income", families.person))
    income = np.where(earns == 2, 0.45 * income + 1_500, np.where(earns == 0, 0.35 * income, income))
    income = np.where(families.is_rich, 40_000 + 0.5 * income, income)
    turnover = np.exp(np.log(120_000) + 0.7 * draws.normal("turnover", families.index))
    return np.where(families.is_enterprise, turnover, income)


def _sleepers(draws: Draws, families: _Families) -> np.ndarray:
    """True for those whose accounts sleep at some time."""
    chance = np.where(families.is_duplicate, SLEEPING_DUPLICATES, SLEEPERS)
    return (draws.uniform("sleeper", families.index) < chance) & ~families.is_enterprise & ~families.is_rich


def _wealth(
    draws: Draws,
    families: _Families,
    income: np.ndarray,
    is_new: np.ndarray,
    of_rich: float,
    is_sleeper: np.ndarray,
) -> np.ndarray:
    """CNY at the start, in deposits and investments; float. New customers try the bank with little."""
    index = families.index
    wealth = income * np.maximum(np.exp(np.log(7.0) + 1.25 * draws.normal("wealth", index)), 2.0)
    cash = income * (1.5 + 2.5 * draws.uniform("cash of firm", index))
    wealth = np.where(families.is_enterprise, cash, wealth)
    # A rich customer's second record adds nothing worth mentioning to what they hold.
    second = np.where(np.append(False, families.is_rich[:-1]), 0.0, 0.35)
    wealth = np.where(families.is_duplicate, wealth * second, wealth)
    wealth = np.minimum(np.where(is_sleeper, 0.4 * wealth, wealth), 1_200_000)
    wealth = np.where(families.is_rich, of_rich * (0.98 + 0.02 * draws.uniform("rich", index)), wealth)
    wealth = np.where(is_new, 0.2 * wealth, wealth)
    least = np.where(families.is_rich, 0, np.where(is_new, 2_500, 8_000) * (1 + draws.uniform("least", index)))
    return np.maximum(wealth, least)


def _trades(
    draws: Draws, families: _Families, income: np.ndarray, customers: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Trade of each enterprise, the index of its main supplier (both -1 without), and what it buys there a month.

    The blocks of a community take turns in the trades. Its two suppliers sell to all others, and buy outside.
    """
    index, count = families.index, len(_TRADES)
    community = index - index % COMMUNITY
    turn = draws.integers(count, "trades", community)
    trade = np.where(families.is_enterprise, _TRADES[(index % COMMUNITY // BLOCK + turn) % count], -1)
    places = np.flatnonzero(_TRADES == SUPPLIER)[draws.integers(2, "main supplier", index)]
    supplier = community + (places - turn) % count * BLOCK + BLOCK - 1
    buys = families.is_enterprise & (trade != SUPPLIER) & (supplier < customers)
    supplier = np.where(buys, supplier, -1)
    purchases = np.where(families.is_enterprise, _SUPPLIES[trade] * income, 0)
    seller = np.where(buys, supplier - index[0], 0)
    bought = np.bincount(seller[buys], purchases[buys], len(index)) / income
    fits = np.minimum(1, _MOST_BOUGHT / np.maximum(bought, 1e-9))
    return trade, supplier, np.where(buys, purchases * fits[seller], purchases)


def _employers(draws: Draws, families: _Families, earns: np.ndarray, customers: int) -> np.ndarray:
    """Index of the enterprise of the block where it pays the salary, -1 for an employer outside the bank."""
    employer = families.start + BLOCK - 1
    works_here = (
        (earns == 1)
        & (employer < min(families.start[-1] + COMMUNITY, customers))
        & (families.index % COMMUNITY < BLOCK * (COMMUNITY // BLOCK))
        & (draws.uniform("works in the community", families.index) < 0.15)
    )
    return np.where(works_here, employer, -1)


def _openings(draws: Draws, families: _Families, age: np.ndarray, timeline: Timeline) -> tuple[np.ndarray, np.ndarray]:
    """Day on which each customer opens the main account, and the index of its month, -1 before the start."""
    index, joining = families.index, JOINING * len(timeline.months)
    is_new = (draws.uniform("new customer", index) < joining / (1 + joining)) & ~families.is_rich
    month = np.where(is_new, draws.integers(len(timeline.months), "opened month", index), -1)
    first_of_month = np.array([month.first for month in timeline.months])
    since_start = first_of_month[month] + draws.integers(24, "opened day", index)
    most_days = np.minimum(age - 1, 20) * 365.25 - 30
    return np.where(is_new, since_start, timeline.first - 30 - draws.integers(most_days, "opened", index)), month


def _lead_days(
    draws: Draws, families: _Families, opened: np.ndarray, opened_month: np.ndarray, timeline: Timeline
) -> np.ndarray:
    """Day of the lead that became a customer some weeks later, -1 for those who came without."""
    index = families.index
    day = opened - 2 - (70 * draws.uniform("lead to account", index)).astype(np.int64)
    came = (opened_month >= 0) & ~families.is_enterprise & ~families.is_duplicate & (day >= timeline.first)
    return np.where(came & (draws.uniform("came by a lead", index) < COMING_BY_LEAD), day, -1)


def _registrations(
    draws: Draws, index: np.ndarray, opened: np.ndarray, opened_month: np.ndarray, timeline: Timeline
) -> np.ndarray:
    """Day of the online registration: for new customers within days of the opening, for others at any time since."""
    at_any_time = opened + draws.integers(np.maximum(timeline.first - opened, 300), "registered", index) + 1
    return np.where(opened_month >= 0, opened + draws.integers(3, "registered", index), at_any_time)


def _phone_holders(draws: Draws, families: _Families) -> np.ndarray:
    """Index of the record whose phone a record shows: some show the head's, an enterprise may show its owner's."""
    index = families.index
    shows_other = (
        families.is_child & (draws.uniform("child shares phone", index) < 0.35)
        | families.is_spouse & (draws.uniform("spouse shares phone", index) < 0.06)
        | families.is_duplicate & (draws.uniform("duplicate keeps phone", index) < 0.6)
        | families.is_enterprise & (draws.uniform("owner's phone", index) < 0.5)
    )
    return np.where(shows_other, np.where(families.is_enterprise, families.owner, families.head), index)


def account_no(index: np.ndarray, suffix: np.ndarray | int) -> np.ndarray:
    """Account number of the customer's account with the given last three digits, int64 of 16 digits."""
    return 6_228_000_000_000_000 + index * 1_000 + suffix


def customer_nos(index: np.ndarray) -> pa.Array:
    """Customer numbers; null for index -1."""
    return join("C", pa.array(100_000_000 + index, mask=index < 0).cast(pa.string()))


def user_ids(index: np.ndarray) -> pa.Array:
    """Numbers of online users, for instance U500000017."""
    return join("U", numbers(500_000_000 + index))


def phone_numbers(draws: Draws, holder: np.ndarray, version: np.ndarray | int) -> np.ndarray:
    """Eleven-digit mobile numbers of the holders; a higher version is a later number."""
    return 13_000_000_000 + draws.integers(6_900_000_000, "phone", holder, version)


def addresses(
    draws: Draws, household: np.ndarray, version: np.ndarray, city: np.ndarray, is_short: np.ndarray
) -> pa.Array:
    """Postal addresses of households; a higher version is a later address, the short form is how customers type it."""
    parts = zip(
        city,
        draws.integers(len(names.DISTRICTS), "district", household, version),
        draws.integers(len(names.ROADS), "road", household, version),
        1 + draws.integers(300, "house", household, version),
        1 + draws.integers(30, "building", household, version),
        100 * (1 + draws.integers(18, "floor", household, version)) + 1 + draws.integers(4, "room", household, version),
        is_short,
        strict=True,
    )
    return pa.array(
        [
            f"{names.DISTRICTS[d]}{names.ROADS[r]}{h}号{b}-{room}"
            if short
            else f"{names.CITIES[c][0]}{names.DISTRICTS[d]}{names.ROADS[r]}{h}号{b}栋{room}室"
            for c, d, r, h, b, room, short in parts
        ]
    )


def person_names(draws: Draws, family: np.ndarray, person: np.ndarray, is_woman: np.ndarray) -> list[str]:
    """Surname of the family, one or two given characters of the person."""
    surname = draws.choice(1 / (np.arange(len(names.SURNAMES)) + 4), "surname", family)
    first, second = draws.bits("given", person), draws.bits("second given", person)
    has_second = draws.uniform("has second given", person) < 0.78
    texts: list[str] = []
    for s, a, b, two, woman in zip(surname, first, second, has_second, is_woman, strict=True):
        given = names.GIVEN_FEMALE if woman else names.GIVEN_MALE
        texts.append(names.SURNAMES[s] + given[int(a) % len(given)] + (given[int(b) % len(given)] if two else ""))
    return texts


def as_typed(draws: Draws, stream: str, keys: np.ndarray, texts: list[str], typo_rate: float) -> list[str]:
    """Names as a hand types them: similar characters, traditional surnames, stray spaces."""
    slips = draws.uniform(stream, keys)
    typed = []
    for text, slip in zip(texts, slips, strict=True):
        if slip < typo_rate:
            typed.append(text[:-1] + names.SIMILAR.get(text[-1], "小"))
        elif slip < 1.5 * typo_rate:
            typed.append(names.TRADITIONAL.get(text[0], text[0]) + text[1:])
        elif slip < 2 * typo_rate:
            typed.append(text[0] + " " + text[1:])
        else:
            typed.append(text)
    return typed


def _names(draws: Draws, families: _Families, is_woman: np.ndarray) -> pa.Array:
    """Names as a clerk writes them; duplicates have slips of the hand."""
    index = families.index
    # A spouse keeps their surname; children and duplicates have that of the head.
    family = np.where(families.is_child | families.is_duplicate, families.head, index)
    texts = person_names(draws, family, families.person, is_woman)
    typed = as_typed(draws, "clerk's slip", index, texts, 0.12)
    words = draws.integers(len(names.COMPANY_WORDS), "company word", index)
    industry = draws.integers(len(names.INDUSTRIES), "industry", index)
    form = draws.integers(len(names.COMPANY_FORMS), "company form", index)
    for i in np.flatnonzero(families.is_enterprise):
        texts[i] = names.COMPANY_WORDS[words[i]] + names.INDUSTRIES[industry[i]] + names.COMPANY_FORMS[form[i]]
    for i in np.flatnonzero(families.is_duplicate):
        texts[i] = typed[i]
    return pa.array(texts)


def _identity_numbers(
    draws: Draws, families: _Families, city: np.ndarray, birth: np.ndarray, is_woman: np.ndarray
) -> pa.Array:
    """18 digits with the check digit of GB 11643, unique by community and place; some duplicates have a typo."""
    index, person = families.index, families.person
    is_mistyped = families.is_duplicate & (draws.uniform("duplicate id typo", index) < 0.15)
    weights = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2])
    community = person // COMMUNITY
    district = 1 + (community // len(names.CITIES)) % 89
    prefix = np.array([int(place[2]) for place in names.CITIES])[city] * 100 + district
    dates = birth.astype("datetime64[D]")
    year = dates.astype("datetime64[Y]").astype(int) + 1970
    month = dates.astype("datetime64[M]").astype(int) % 12 + 1
    day = (dates - dates.astype("datetime64[M]")).astype(int) + 1
    sequence = person % COMMUNITY * 2 + ~is_woman
    body = ((prefix * 10_000 + year) * 10_000 + month * 100 + day) * 1_000 + sequence
    body = np.where(is_mistyped, body + 100, body)  # one digit mistyped, the check digit then fits by accident
    digits = body[:, None] // 10 ** np.arange(16, -1, -1) % 10
    check = np.array(list("10X98765432"))[(digits * weights).sum(axis=1) % 11]
    texts = np.char.add(body.astype(str), check)
    firm = np.char.add("91", np.char.add((prefix * 10_000_000_000 + index).astype(str).astype("U16"), ""))
    return pa.array(np.where(families.is_enterprise, firm, texts).astype(str))
