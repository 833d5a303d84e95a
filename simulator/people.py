"""Who the customers are: persons in families, small enterprises with their owners and staff, and how they are recorded.

A community is 256 consecutive customer numbers, laid out in blocks of 26: families of one to four persons in the first
25 places, an enterprise in the last. Everybody a customer deals with inside the bank is in the same community.
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
_PLACE = np.arange(BLOCK) - _HEAD  # 0 head, 1 spouse, 2 and 3 children

AGE_OF_PENSION = 60
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
    owner: np.ndarray  # index of an enterprise's owner, else -1
    head: np.ndarray  # index of the head of the family
    authorised: np.ndarray  # index of the spouse who may use the main account, else -1
    employer: np.ndarray  # index of the enterprise that pays the salary, -1 for one outside
    earns: np.ndarray  # 0 nothing, 1 salary, 2 pension, 3 turnover
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
    registered: np.ndarray  # day of the registration (shown from the first day on)
    is_verified: np.ndarray
    has_bound_card: np.ndarray
    wallet: np.ndarray  # bound wallet, -1 none
    has_second: np.ndarray  # a second savings account

    def __len__(self) -> int:
        return len(self.index)


def people(draws: Draws, first: int, last: int, customers: int, timeline: Timeline) -> People:
    """Records ``first`` to ``last`` (exclusive) of a bank of ``customers`` records; ``first`` starts a community."""
    index = np.arange(first, last)
    local = index % COMMUNITY
    place = local % BLOCK
    start = index - place
    head = start + _HEAD[place]
    is_enterprise = place == BLOCK - 1
    is_duplicate = (_SIZE[place] == 2) & (_PLACE[place] == 1) & (draws.uniform("duplicate", index) < 0.35)
    is_child = _PLACE[place] >= 2
    is_twin = (_SIZE[place] == 4) & (_PLACE[place] == 3) & (draws.uniform("twin", head) < 0.5)
    person = np.where(is_duplicate, head, index)
    is_spouse = (_PLACE[place] == 1) & ~is_duplicate
    has_spouse = np.append(is_spouse[1:], False)  # a spouse comes right after the head
    authorised = np.where(has_spouse & (draws.uniform("spouse uses account", index) < 0.3), index + 1, -1)
    owner = np.where(is_enterprise, start + draws.integers(10, "owner", index), -1)

    head_age = 30 + 40 * draws.uniform("age", head)
    sibling = np.where(is_twin, index - 1, index)
    age = np.where(
        is_child,
        np.maximum(head_age - 26, 16) + 4 * draws.uniform("age of child", sibling),
        head_age + np.where(_PLACE[place] == 1, -4 + 6 * draws.uniform("age of spouse", index), 0),
    )
    age = np.where(is_duplicate, head_age, age)
    age = np.where(is_enterprise, 2 + 18 * draws.uniform("age of firm", index), age)
    birth = timeline.first - np.round(age * 365.25).astype(np.int64)
    is_woman = np.where(
        _PLACE[place] == 1,
        draws.uniform("gender", head) >= 0.35,
        draws.uniform("gender", np.where(is_child, index, head)) < 0.35,
    )
    is_woman = np.where(is_duplicate, draws.uniform("gender", head) < 0.35, is_woman)

    earns = np.where(age >= AGE_OF_PENSION, 2, np.where(draws.uniform("has job", person) < 0.88, 1, 0))
    earns = np.where(is_enterprise, 3, np.where(is_duplicate, 0, earns))
    income = np.exp(np.log(9_000) + 0.55 * draws.normal("income", person))
    income = np.where(earns == 2, 0.45 * income + 1_500, np.where(earns == 0, 0.35 * income, income))
    income = np.where(is_enterprise, np.exp(np.log(120_000) + 0.7 * draws.normal("turnover", index)), income)
    wealth = income * np.maximum(np.exp(np.log(7.0) + 1.15 * draws.normal("wealth", index)), 2.0)
    wealth = np.where(is_enterprise, income * (1.5 + 2.5 * draws.uniform("cash of firm", index)), wealth)
    wealth = np.maximum(np.where(is_duplicate, wealth * 0.35, wealth), 8_000 + 8_000 * draws.uniform("least", index))
    employer = start + BLOCK - 1
    employer = np.where(
        (earns == 1)
        & (employer < min(start[-1] + COMMUNITY, customers))
        & (local < BLOCK * (COMMUNITY // BLOCK))
        & (draws.uniform("works in the community", index) < 0.15),
        employer,
        -1,
    )
    employer = np.where(employer >= customers, -1, employer)

    communities = -(-customers // COMMUNITY)
    cities = min(len(names.CITIES), communities)
    city = (index // COMMUNITY) % cities
    branch = city * BRANCHES_PER_CITY + draws.integers(BRANCHES_PER_CITY, "branch", head)
    is_managed = (wealth > 300_000) | (draws.uniform("managed", index) < 0.25) & ~is_duplicate
    manager = branch * MANAGERS_PER_BRANCH + draws.integers(MANAGERS_PER_BRANCH, "manager", index)

    is_new = draws.uniform("new customer", index) < 0.07
    opened_month = np.where(is_new, draws.integers(len(timeline.months), "opened month", index), -1)
    month_first = np.array([month.first for month in timeline.months])
    opened = np.where(
        is_new,
        month_first[opened_month] + draws.integers(24, "opened day", index),
        timeline.first - 30 - draws.integers(np.minimum(age - 1, 20) * 365.25 - 30, "opened", index),
    )
    is_online = draws.uniform("online", index) < np.where(is_enterprise, 0.5, np.where(age > 65, 0.45, 0.85))
    registered = opened + draws.integers(np.maximum(timeline.first - opened, 300), "registered", index) + 1
    registered = np.where(opened_month >= 0, opened + draws.integers(3, "registered", index), registered)
    phone_owner = np.where(
        is_child & (draws.uniform("child shares phone", index) < 0.35)
        | is_spouse & (draws.uniform("spouse shares phone", index) < 0.06)
        | is_duplicate & (draws.uniform("duplicate keeps phone", index) < 0.6)
        | is_enterprise & (draws.uniform("owner's phone", index) < 0.5),
        np.where(is_enterprise, owner, head),
        index,
    )
    number = np.where(is_duplicate & (draws.uniform("duplicate id typo", index) < 0.15), index, person)
    return People(
        index=index,
        person=person,
        is_enterprise=is_enterprise,
        is_duplicate=is_duplicate,
        is_child=is_child,
        owner=owner,
        head=head,
        authorised=authorised,
        employer=employer,
        earns=earns,
        is_woman=is_woman,
        birth=birth,
        income=income,
        wealth=wealth,
        appetite=1 + draws.choice([20, 35, 25, 14, 6], "risk appetite", person),
        branch=branch,
        manager=np.where(is_managed, manager, -1),
        opened=opened,
        opened_month=opened_month,
        name=_names(draws, index, person, head, is_enterprise, is_child, is_woman, is_duplicate),
        occupation=np.where(earns == 2, 12, draws.integers(12, "occupation", person)),
        phone=phone_numbers(draws, phone_owner, 0),
        id_no=_identity_numbers(index, person, number, city, birth, is_woman, is_enterprise),
        is_opted_out=draws.uniform("opted out", index) < 0.06,
        is_online=is_online,
        registered=registered,
        is_verified=draws.uniform("verified", index) < 0.5,
        has_bound_card=draws.uniform("bound card", index) < 0.4,
        wallet=np.where(
            is_online & ~is_enterprise & (draws.uniform("wallet", index) < 0.8),
            draws.integers(2, "wallet provider", index),
            -1,
        ),
        has_second=~is_enterprise & ~is_duplicate & (draws.uniform("second account", index) < 0.25),
    )


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


def _names(draws, index, person, head, is_enterprise, is_child, is_woman, is_duplicate) -> pa.Array:
    # A spouse has a surname of her own; children and duplicates that of the head.
    family = np.where(is_child | is_duplicate, head, index)
    texts = person_names(draws, family, person, is_woman)
    typed = as_typed(draws, "clerk's slip", index, texts, 0.12)
    words = draws.integers(len(names.COMPANY_WORDS), "company word", index)
    industry = draws.integers(len(names.INDUSTRIES), "industry", index)
    form = draws.integers(len(names.COMPANY_FORMS), "company form", index)
    for i in np.flatnonzero(is_enterprise):
        texts[i] = names.COMPANY_WORDS[words[i]] + names.INDUSTRIES[industry[i]] + names.COMPANY_FORMS[form[i]]
    for i in np.flatnonzero(is_duplicate):
        texts[i] = typed[i]
    return pa.array(texts)


def _identity_numbers(index, person, number, city, birth, is_woman, is_enterprise) -> pa.Array:
    """18 digits with the check digit of GB 11643; unique by community and place. A differing ``number`` is a typo."""
    weights = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2])
    community = person // COMMUNITY
    district = 1 + (community // len(names.CITIES)) % 89
    prefix = np.array([int(code) for _, _, code in names.CITIES])[city] * 100 + district
    dates = birth.astype("datetime64[D]")
    year = dates.astype("datetime64[Y]").astype(int) + 1970
    month = dates.astype("datetime64[M]").astype(int) % 12 + 1
    day = (dates - dates.astype("datetime64[M]")).astype(int) + 1
    sequence = person % COMMUNITY * 2 + ~is_woman
    body = ((prefix * 10_000 + year) * 10_000 + month * 100 + day) * 1_000 + sequence
    body = np.where(number != person, body + 100, body)  # one digit mistyped, the check digit then fits by accident
    digits = body[:, None] // 10 ** np.arange(16, -1, -1) % 10
    check = np.array(list("10X98765432"))[(digits * weights).sum(axis=1) % 11]
    texts = np.char.add(body.astype(str), check)
    firm = np.char.add("91", np.char.add((prefix * 10_000_000_000 + index).astype(str).astype("U16"), ""))
    return pa.array(np.where(is_enterprise, firm, texts).astype(str))
