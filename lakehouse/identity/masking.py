"""Values of a party record as a clerk sees them: enough to tell two records apart, too little to use elsewhere."""

import re
from collections.abc import Callable
from functools import cache
from itertools import zip_longest

from lakehouse.identity.comparable import name_parts
from lakehouse.identity.linkage import Linkage

SHOWN_END = 4  # characters of a number
SLIP = 2  # places in which two numbers may differ for these to be shown: with more, they are two numbers
HIDDEN = "•"
Masked = tuple[str, str]


def masked_pair(column: str, left: object, right: object) -> Masked:
    """Two values side by side; what the pages publish anyhow (city, gender, occupation) is shown as it is.

    >>> masked_pair("id_no", "310101199001011234", "310101199001021234")
    ('•••••••••••••11234', '•••••••••••••21234')
    >>> masked_pair("phone", "13912345678", "15087654321")
    ('•••••••5678', '•••••••4321')
    >>> masked_pair("birth_date", "19800918", "19800919")
    ('1980-••-•8', '1980-••-•9')
    """
    first, second = ("" if value is None else str(value) for value in (left, right))
    if column == "birth_date":
        return _dates(first, second)
    if column in ("id_no", "phone"):
        return _numbers(first, second)
    mask = _MASKS.get(column)
    return (mask(first), mask(second)) if mask else (first, second)


def masked_name(name: str) -> str:
    """Family name, and the initials of the rest by sound; of an enterprise, the name as it is registered.

    >>> masked_name("欧阳静"), masked_name("Michaela Neumann"), masked_name("Neumann, Michaela"), masked_name("")
    ('欧阳 J.', 'Neumann M.', 'Neumann M.', '')
    """
    parts = name_parts(name, _linkage()) if name else None
    if parts is None or parts.family is None or parts.is_enterprise:
        return name if parts is not None and parts.is_enterprise else HIDDEN * len(name)
    initials = "".join(f"{word[0].upper()}." for word in (parts.given or "").split())
    family = parts.family.title()
    if parts.is_han and parts.name:
        family = parts.name[: len(parts.name) - len((parts.given or "").split())]
    return f"{family} {initials}".strip()


def masked_address(address: str) -> str:
    """The street without its numbers.

    >>> masked_address("新城区建设路152号10栋1404室")
    '新城区建设路•号•栋•室'
    """
    return re.sub(r"[0-9０-９]+", HIDDEN, address)


def masked_email(email: str) -> str:
    """The first letter, and who keeps the mailbox.

    >>> masked_email("li.lei@example.cn"), masked_email("")
    ('l•••@example.cn', '')
    """
    name, at, domain = email.partition("@")
    return f"{name[:1]}•••{at}{domain}" if email else ""


@cache
def _linkage() -> Linkage:
    return Linkage.read()


def _dates(first: str, second: str) -> Masked:
    """The year, and the digits in which the two differ."""
    one, other = (re.sub(r"\D", "", text) for text in (first, second))

    def shown(text: str, beside: str) -> str:
        digits = [
            digit if at < SHOWN_END or beside[at : at + 1] not in ("", digit) else HIDDEN
            for at, digit in enumerate(text)
        ]
        return "".join([*digits[:4], "-", *digits[4:6], "-", *digits[6:]]) if digits else ""

    return shown(one, other), shown(other, one)


def _numbers(first: str, second: str) -> Masked:
    """The last characters, and those that differ where it may be a slip."""
    places = list(zip_longest(first, second, fillvalue=""))
    differing = {at for at, (one, other) in enumerate(places) if one != other}
    shown = differing if first and second and len(differing) <= SLIP else set()

    def masked(text: str) -> str:
        end = max(0, len(text) - SHOWN_END)
        return "".join(digit if at >= end or at in shown else HIDDEN for at, digit in enumerate(text))

    return masked(first), masked(second)


_MASKS: dict[str, Callable[[str], str]] = {
    "name": masked_name,
    "address": masked_address,
    "email": masked_email,
}
