"""The templates of the reports, and how amounts and codes are written on pages and in tables."""

from decimal import Decimal
from pathlib import Path

from lakehouse.pages import environment

TEMPLATES = Path(__file__).with_name("templates")


def render(template: str, **content: object) -> str:
    """The page that a template makes of the content; it needs no other file."""
    templates = environment(TEMPLATES)
    templates.filters |= {"money": money, "words": words}
    return templates.get_template(template).render(content)


def money(amount: Decimal | float | None) -> str:
    """An amount in whole units of its currency.

    >>> money(Decimal("1234.56"))
    '1,235'
    """
    return "" if amount is None else f"{amount:,.0f}"


def words(code: str | None) -> str:
    """A code as words.

    >>> words("term_deposit")
    'term deposit'
    """
    return (code or "").replace("_", " ")
