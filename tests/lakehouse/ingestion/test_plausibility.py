"""A delivery that is well formed and hardly true waits for a person; what a person takes back has not come."""

from datetime import date

import pytest

from lakehouse import lake
from lakehouse.errors import Stop
from lakehouse.ingestion import accept, dateless, retract
from lakehouse.lake.dates import landed_dates
from tests.lakehouse.ingestion.bank import CUSTOMER, DAY, Bank, delimited, postings

PRODUCT = {"product_name": "活期存款", "product_family": "current"}
ROWS = postings({}, {"amount": "7.00"})


def products(count: int) -> list[dict[str, str]]:
    return [PRODUCT | {"product_code": f"P{number}"} for number in range(count)]


def state_of(bank: Bank, feed: str) -> list[tuple[str, int]]:
    return [(outcome.outcome, outcome.rows_loaded) for outcome in bank.ingest(feed)]


@pytest.mark.parametrize("rows", [0, 10, 13])
@pytest.mark.faults("missing_days", store="lake")
def test_a_snapshot_that_has_shrunk_waits_for_a_person(bank: Bank, rows: int) -> None:
    bank.deliver("products", products(20))
    bank.deliver("products", products(rows), period="2026-01-06")
    first, second = bank.ingest("products")
    assert (first.outcome, first.rows_loaded, second.outcome) == ("loaded", 20, "rejected")
    assert f"{rows} rows after one of 20" in second.reason
    assert f"c360 accept {second.delivery_id} --by" in second.reason
    assert bank.ingest("products") == []
    accept(bank.settings, second.delivery_id, "S0042", "the shelf was cleared")
    assert state_of(bank, "products") == [("loaded", rows)]
    assert bank.ingest("products") == []


@pytest.mark.parametrize(("before", "rows"), [(20, 14), (20, 40), (3, 1)])
def test_a_snapshot_that_changes_as_snapshots_do_is_taken(bank: Bank, before: int, rows: int) -> None:
    bank.deliver("products", products(before))
    bank.deliver("products", products(rows), period="2026-01-06")
    assert state_of(bank, "products") == [("loaded", before), ("loaded", rows)]


@pytest.mark.parametrize("cutoff", ["2034-01-06", "2026-06-01", "9999-12-31"])
@pytest.mark.faults("impossible", store="lake")
def test_a_cutoff_far_ahead_makes_no_business_date(bank: Bank, cutoff: str) -> None:
    bank.deliver("transactions", ROWS)
    bank.ingest("transactions")
    bank.deliver("transactions", ROWS, period="2026-01-06", cutoff_at=f"{cutoff}T23:59:59+08:00")
    (outcome,) = bank.ingest("transactions", day="9999-12-31")
    assert (outcome.outcome, "cut-off" in outcome.reason) == ("rejected", True)
    refused = dateless(lake.read_outcomes(bank.settings.lake))
    assert landed_dates(bank.settings.landing, refused) == [date.fromisoformat(DAY)]


@pytest.mark.parametrize("encoding", ["GB18030", "GBK", "UTF-8", "UTF-8-SIG", "UTF-16"])
def test_another_encoding_than_the_contract_s_is_noticed(bank: Bank, encoding: str) -> None:
    names = ("欧阳晓雯", "王小明", "司马相如", "联通", "李")
    rows = [CUSTOMER | {"customer_no": f"C{number}", "name": name} for number, name in enumerate(names)]
    content = delimited("customers", rows).decode("GB18030").encode(encoding)
    bank.deliver("customers", content, rows=len(rows))
    (outcome,) = bank.ingest("customers")
    assert outcome.outcome == ("loaded" if encoding in ("GB18030", "GBK") else "rejected"), outcome.reason


@pytest.mark.parametrize("day", ["0001-01-01", "1900-01-01", "1970-01-01"])
@pytest.mark.faults("impossible", store="lake")
def test_a_date_that_stands_for_none_costs_its_row(bank: Bank, day: str) -> None:
    bank.deliver("transactions", postings({}, {"business_date": day}))
    (outcome,) = bank.ingest("transactions")
    assert bank.quarantine(outcome) == [(3, "business_date", "out_of_range")]


def test_a_retracted_delivery_has_not_come(bank: Bank) -> None:
    bank.deliver("transactions", ROWS)
    (first,) = bank.ingest("transactions")
    before = lake.pin(bank.settings.lake, date(2026, 2, 1))
    bank.deliver("transactions", postings({"amount": "1.00"}), version=2)
    (second,) = bank.ingest("transactions")
    assert lake.pin(bank.settings.lake, date(2026, 2, 1)).hash != before.hash
    retract(bank.settings, second.delivery_id, "S0042", "sent for another bank")
    after = lake.pin(bank.settings.lake, date(2026, 2, 1))
    assert after.deliveries == before.deliveries
    assert [outcome.reason for outcome in after.rejected] == ["retracted by S0042: sent for another bank"]
    assert bank.ingest("transactions") == []
    bank.deliver("transactions", postings({"amount": "2.00"}), version=2)
    assert [outcome.outcome for outcome in bank.ingest("transactions")] == ["replaced"]
    assert first.outcome == "loaded"


@pytest.mark.parametrize(("days", "left"), [((1, 2), [1]), ((2, 1), [2]), ((1,), []), ((1, 2, 3), [1, 2])])
def test_what_came_before_a_retracted_delivery_counts_again(bank: Bank, days: tuple[int, ...], left: list[int]) -> None:
    """Of snapshots the one before, of a feed its only one none; whichever is taken back, the others stay."""
    for number in sorted(days):
        bank.deliver("products", products(20 + number), period=f"2026-01-0{number}")
    bank.ingest("products")
    taken_back = next(item.outcome for item in pinned(bank) if item.outcome.period == f"2026-01-0{days[-1]}")
    retract(bank.settings, taken_back.delivery_id, "S0042", "sent for another bank")
    assert [item.outcome.rows_loaded - 20 for item in pinned(bank)] == left
    assert [item.superseded_date for item in pinned(bank)][-1:] == ([None] if left else [])
    assert bank.ingest("products") == []


def pinned(bank: Bank) -> tuple[lake.PinnedDelivery, ...]:
    return lake.pin(bank.settings.lake, date(2026, 2, 1)).of("products")


@pytest.mark.faults("lake_file", store="lake")
def test_a_lost_file_is_taken_in_again(bank: Bank) -> None:
    bank.deliver("transactions", ROWS)
    (outcome,) = bank.ingest("transactions")
    outcome.rows_path(bank.settings.lake).unlink()
    assert bank.ingest("transactions") == [outcome]
    assert outcome.rows_path(bank.settings.lake).exists()


@pytest.mark.parametrize("text", ["", "{", '{"feed": "transac'])
@pytest.mark.faults("lake_file", store="lake")
def test_a_torn_record_is_named(bank: Bank, text: str) -> None:
    bank.deliver("transactions", ROWS)
    bank.ingest("transactions")
    (record,) = (bank.settings.lake / "deliveries").glob("*/*.json")
    record.write_text(text)
    with pytest.raises(Stop, match=record.name):
        lake.pin(bank.settings.lake, date(2026, 2, 1))
    record.unlink()  # as the message says
    assert [outcome.outcome for outcome in bank.ingest("transactions")] == ["loaded"]


def test_a_decision_needs_a_name_and_something_to_decide(bank: Bank) -> None:
    bank.deliver("transactions", ROWS)
    (outcome,) = bank.ingest("transactions")
    for decide, delivery, by, word in (
        (retract, outcome.delivery_id, " ", "name"),
        (retract, "transactions/2026-01-05/v9-0", "S1", "no delivery"),
        (accept, outcome.delivery_id, "S1", "was not rejected"),
    ):
        with pytest.raises(Stop, match=word):
            decide(bank.settings, delivery, by, "so")
