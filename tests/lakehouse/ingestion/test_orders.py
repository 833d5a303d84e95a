"""Days that land in any order leave the same lake, byte for byte in its records."""

from collections.abc import Callable
from datetime import date, timedelta
from itertools import permutations

import pytest

from tests.faults_table import Fault
from tests.lakehouse.ingestion.bank import CUSTOMER, Bank, postings

FIRST = date(2026, 1, 5)


def deliver(bank: Bank, feed: str, day: date) -> None:
    """A delta with a bad row and a late one, or a snapshot that grows."""
    if feed == "customers":
        people = [CUSTOMER | {"customer_no": f"C{number}", "business_date": str(day)} for number in range(day.day)]
        bank.deliver("customers", people, period=str(day))
        return
    now = {"business_date": str(day), "txn_at": f"{day} 10:00:00", "txn_id": f"T{day}"}
    late = {"business_date": str(day - timedelta(days=1)), "txn_at": f"{day - timedelta(days=1)} 10:00:00"}
    bank.deliver("transactions", postings(now, now | {"direction": "X"}, late | {"txn_id": f"L{day}"}), period=str(day))


def content(bank: Bank) -> dict[str, object]:
    """Every visible file: records to the byte, Parquet by its rows."""
    return {
        file: bank.read(file) if file.endswith(".parquet") else (bank.settings.lake / file).read_bytes()
        for file in bank.files()
    }


@pytest.mark.faults("orders", store="lake", holds=("content",))
@pytest.mark.parametrize(
    ("count", "feeds"),
    [(3, ("transactions", "customers")), pytest.param(5, ("transactions",), marks=pytest.mark.full)],
)
def test_days_land_in_every_order(
    next_bank: Callable[[], Bank], fault: Fault, count: int, feeds: tuple[str, ...]
) -> None:
    days = [FIRST + timedelta(days=number) for number in range(count)]
    undisturbed = None
    for fault.injections, order in enumerate(permutations(days), 1):
        bank = next_bank()
        for day in order:
            for feed in feeds:
                deliver(bank, feed, day)
                assert [outcome.outcome for outcome in bank.ingest(feed)] == ["loaded"]
        undisturbed = undisturbed or content(bank)
        assert content(bank) == undisturbed, order
