"""The templates of the reports, and how amounts and codes are written on pages and in tables."""

from decimal import Decimal
from pathlib import Path

from lakehouse.language import Voice
from lakehouse.pages import environment

TEMPLATES = Path(__file__).with_name("templates")
UNITS = {
    "en": ((1e9, " billion"), (1e6, " million"), (1e3, " thousand"), (1, "")),
    "zh": ((1e8, "亿"), (1e4, "万"), (1, "")),
}


def render(template: str, say: Voice, **content: object) -> str:
    """The page that a template makes of the content, in a language; it needs no other file."""
    templates = environment(TEMPLATES)
    templates.filters |= {"money": money, "words": say.code, "percent": say.percent}
    templates.filters["amount"] = lambda of, currency: amount(of, currency, say)
    return templates.get_template(template).render(content, say=say, language=say.language)


def money(amount: Decimal | float | None) -> str:
    """An amount in whole units of its currency.

    >>> money(Decimal("1234.56"))
    '1,235'
    """
    return "" if amount is None else f"{amount:,.0f}"


def amount(of: Decimal | float, currency: str, say: Voice) -> str:
    """An amount in whole units with its currency, as the language writes it.

    >>> amount(Decimal("1234.56"), "CNY", Voice()), amount(1234, "CNY", Voice("zh"))
    ('CNY 1,235', '1,234 元')
    """
    return say("{currency} {amount}", currency=say.code(currency), amount=money(of))


def readable(amount: Decimal | float, language: str = "en") -> str:
    """An amount to three digits, in thousands, millions or billions, or in the Chinese units.

    >>> readable(1_234_567), readable(-999_999), readable(312)
    ('1.23 million', '-1.00 million', '312')
    >>> readable(1_234_567, "zh"), readable(327_294_000, "zh")
    ('123万', '3.27亿')
    """
    for size, unit in UNITS[language]:
        scaled = float(f"{float(amount) / size:.2e}")  # three digits
        if abs(scaled) >= 1 or size == 1:
            decimals = 0 if size == 1 or abs(scaled) >= 100 else 1 if abs(scaled) >= 10 else 2
            return f"{scaled:,.{decimals}f}{unit}"
    raise ValueError(language)


def readable_span(low: Decimal | float, high: Decimal | float, language: str = "en") -> str:
    """Two amounts, with their unit once if it is the same.

    >>> readable_span(1_200_000, 1_430_000), readable_span(999_000, 1_430_000)
    ('1.20 to 1.43 million', '999 thousand to 1.43 million')
    """
    first, second = readable(low, language), readable(high, language)
    for _, unit in UNITS[language]:
        if unit and first.endswith(unit) and second.endswith(unit):
            first = first.removesuffix(unit)
    return f"{first} {'to' if language == 'en' else '至'} {second}"
