"""A required feed is missing until a delivery that covers the business date is accepted."""

from datetime import date

import pytest

from lakehouse.contracts import Deployment
from lakehouse.ingestion import missing_feeds
from lakehouse.lake import pin
from tests.lakehouse.ingestion.bank import DAY, Bank, postings

DEPLOYMENT = Deployment("test", "CNY", "+08:00", ("transactions", "products", "registrations"), ("complaints",), {}, {})
PRODUCT = {"product_code": "P1", "product_name": "活期", "product_family": "current"}
USER = {"user_id": "U1", "business_date": DAY, "registered_at": f"{DAY} 08:00:00", "platform": "app"}


def missing(bank: Bank, day: str, *channels: str) -> list[str]:
    business_date = date.fromisoformat(day)
    for feed in ("transactions", "products", "registrations"):
        bank.ingest(feed, day)
    return missing_feeds(DEPLOYMENT, pin(bank.settings.lake, business_date), channels)


def test_required_feeds_of_the_channels_are_missing_until_they_deliver(bank: Bank) -> None:
    assert missing(bank, DAY, "branch", "online", "reference") == ["transactions", "registrations", "products"]
    assert missing(bank, DAY, "online") == ["registrations"]
    bank.deliver("transactions", postings({}))
    bank.deliver("products", [PRODUCT])
    assert missing(bank, DAY, "branch", "online", "reference") == ["registrations"]
    bank.deliver("registrations", [USER])
    assert missing(bank, DAY, "branch", "online", "reference") == []


def test_a_delivery_covers_its_own_day_only(bank: Bank) -> None:
    bank.deliver("transactions", postings({}))
    bank.deliver("products", [PRODUCT])
    assert missing(bank, "2026-01-06", "branch", "reference") == ["transactions", "products"]


@pytest.mark.parametrize(("day", "expected"), [("2026-01-31", []), ("2026-02-01", ["transactions"])])
def test_a_month_covers_its_days(bank: Bank, day: str, expected: list[str]) -> None:
    bank.deliver("transactions", postings({}), period="2026-01", load="initial", cutoff_at="2026-01-31T23:59:59+08:00")
    assert missing(bank, day, "branch") == expected


def test_a_rejected_delivery_counts_as_missing(bank: Bank) -> None:
    bank.deliver("transactions", postings({}), rows=7)
    assert missing(bank, DAY, "branch") == ["transactions"]
    bank.deliver("transactions", postings({}), version=2)
    assert missing(bank, DAY, "branch") == []
    bank.deliver("transactions", postings({}), rows=9, version=3)
    assert missing(bank, DAY, "branch") == []
