"""What looks like a person's by its form alone: found where nobody knew which values to look for.

Numbers with a check digit are held against it, so that a sum, a hash or a time is not taken for one.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)  # GB 11643
_CHECKS = "10X98765432"
_ALONE = r"(?<!\w)(?<!\d\.){}(?!\w|\.\d)"  # no part of a word or of a decimal
_IDENTITY = re.compile(_ALONE.format(r"[1-8]\d{16}[\dXx]"))
_MOBILE = re.compile(_ALONE.format(r"(?:\+?86[ -]?)?1[3-9]\d{9}"))
_CARD = re.compile(_ALONE.format(r"62\d{14,17}"))
# from the start of a word, and no longer than RFC 5321 allows: a page without spaces takes no longer than another
_LABEL = r"[A-Za-z0-9-]{1,63}"
_MAIL = re.compile(rf"(?<![A-Za-z0-9._%+-])[A-Za-z0-9._%+-]{{1,64}}@{_LABEL}(?:\.{_LABEL}){{0,8}}\.[A-Za-z]{{2,}}")
# RFC 2606 gives them to examples: addresses in files of settings end so
_NOBODYS = (".example", *(f"{before}example.{top}" for before in "@." for top in ("com", "net", "org")))


def has_identity_number(text: str) -> bool:
    """Whether a Chinese identity number stands in it: 18 digits with a date of birth and the right check digit.

    >>> has_identity_number("no 310101196703141603."), has_identity_number("310101196703141604")
    (True, False)
    """
    return any(_is_identity(found) for found in _IDENTITY.findall(text))


def has_mobile_number(text: str) -> bool:
    """Whether a Chinese mobile number stands in it.

    >>> has_mobile_number("call 13927833401"), has_mobile_number("0.13927833401"), has_mobile_number("x13927833401")
    (True, False, False)
    """
    return _MOBILE.search(text) is not None


def has_card_number(text: str) -> bool:
    """Whether the number of a UnionPay card stands in it, with the right check digit (ISO/IEC 7812).

    >>> has_card_number("621700" + "0000000221"), has_card_number("621700" + "0000000220")
    (False, True)
    """
    return any(_is_card(found) for found in _CARD.findall(text))


def has_mail_address(text: str) -> bool:
    """Whether an address of mail stands in it that can be somebody's.

    >>> has_mail_address("<li@mail.cn>"), has_mail_address("desk@bank.example, risk@example.com")
    (True, False)
    """
    return any(not found.endswith(_NOBODYS) for found in _MAIL.findall(text))


def _is_identity(number: str) -> bool:
    try:
        date.fromisoformat(f"{number[6:10]}-{number[10:12]}-{number[12:14]}")
    except ValueError:
        return False
    total = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, number, strict=False))
    return _CHECKS[total % 11] == number[-1].upper()


def _is_card(number: str) -> bool:
    digits = [int(digit) for digit in reversed(number)]
    return (sum(digits[::2]) + sum(sum(divmod(2 * digit, 10)) for digit in digits[1::2])) % 10 == 0


SHAPES: Mapping[str, Callable[[str], bool]] = {
    "an identity number": has_identity_number,
    "a mobile number": has_mobile_number,
    "a card number": has_card_number,
    "a mail address": has_mail_address,
}
