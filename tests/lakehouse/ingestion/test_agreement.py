"""Deliveries that are without fault alone and do not fit the others: counted, said, and beyond a limit asked about."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from c360 import pipeline
from lakehouse import lake
from lakehouse.contracts import CHANNELS, load_feeds
from lakehouse.errors import Stop
from lakehouse.ingestion import Disagreement, accept, accept_silence, check, check_agreement, check_repeats
from tests.lakehouse.ingestion.bank import CUSTOMER, DAY, POSTING, Bank, delimited, postings

Row = dict[str, str]
Quiet = Callable[..., Bank]
NEXT = "2026-01-06"
ACCOUNT = {
    "account_no": "6222000001",
    "business_date": DAY,
    "customer_no": "C1",
    "product_code": "P1",
    "branch_code": "B01",
    "currency": "CNY",
    "opened_date": DAY,
    "status": "open",
}
BALANCE = {"account_no": "6222000001", "business_date": DAY, "balance": "5.00", "currency": "CNY"}
VISIT = {"ticket_id": "V", "business_date": DAY, "branch_code": "B01", "service_type": "cash", "customer_no": "C9"}
VISIT |= {"queued_at": f"{DAY} 03:00:00"}
COMPLAINT = {"complaint_id": "X1", "business_date": DAY, "customer_no": "C1", "received_at": f"{DAY} 03:00:00"}
COMPLAINT |= {"channel": "phone", "category": "fees", "severity": "1"}


PRODUCT = {"product_code": "P1", "product_name": "Savings", "product_family": "savings"}
TOUCH = {"touch_id": "T", "business_date": DAY, "campaign_id": "K1", "customer_no": "C9"}
TOUCH |= {"touched_at": f"{DAY} 03:00:00", "channel": "sms", "arm": "treatment", "cost": 0.1}


def many(row: Row, key: str, count: int, **change: str) -> list[Row]:
    return [row | {key: f"{row[key]}-{number}"} | change for number in range(count)]


def known(bank: Bank) -> lake.Pin:
    for feed in load_feeds():
        bank.ingest(feed)
    return lake.pin(bank.settings.lake, date(2026, 12, 31))


def doubts(bank: Bank, repeats: pa.Table | None = None) -> list[str]:
    """What is said of everything that has landed; the test fails if something has to wait."""
    pin = known(bank)
    if repeats is None:
        return check_agreement(bank.settings, pin, (), CHANNELS)
    return check_repeats(bank.settings, pin, (), repeats)


REFERENCES: dict[str, tuple[str, Row, str, str, Row]] = {
    "postings to accounts": ("transactions", POSTING, "account_no", "accounts", ACCOUNT),
    "balances of accounts": ("balances", BALANCE, "account_no", "accounts", ACCOUNT),
    "accounts of customers": ("accounts", ACCOUNT, "customer_no", "customers", CUSTOMER),
}


@pytest.mark.parametrize("what", REFERENCES)
@pytest.mark.faults("keys", store="lake")
def test_rows_about_what_nobody_delivered_wait(bank: Bank, what: str) -> None:
    feed, row, column, referenced, told = REFERENCES[what]
    key = load_feeds()[feed].key[0]
    bank.deliver(referenced, [told])
    bank.deliver(feed, [row])
    assert doubts(bank) == []
    bank.deliver(feed, [row, *many(row | {column: "unknown"}, key, 5)], period=NEXT)
    with pytest.raises(Disagreement) as stop:
        doubts(bank)
    assert f"5 of 6 rows have a {column} that no delivery of {referenced} has told, the first in row 3" in str(
        stop.value
    )
    (outcome,) = [item.outcome for item in known(bank).of(feed) if item.outcome.period == NEXT]
    assert outcome.delivery_id in str(stop.value) and "c360 accept ID --by" in str(stop.value)
    accept(bank.settings, outcome.delivery_id, "S0042", "a branch that joins tomorrow")
    assert doubts(bank) == []


def test_earlier_snapshots_count_and_are_read_only_for_what_the_newest_does_not_tell(bank: Bank) -> None:
    bank.deliver("products", [PRODUCT, PRODUCT | {"product_code": "P2"}])
    bank.deliver("products", [PRODUCT, PRODUCT | {"product_code": "P3"}], period=NEXT)
    earlier, later = (ACCOUNT | {"business_date": day} for day in (NEXT, "2026-01-07"))
    bank.deliver("accounts", [earlier, *many(earlier | {"product_code": "P2"}, "account_no", 9)], period=NEXT)
    assert doubts(bank) == []
    bank.deliver("accounts", [later, *many(later | {"product_code": "P3"}, "account_no", 9)], period="2026-01-07")
    pin = known(bank)
    pin.of("products")[0].outcome.rows_path(bank.settings.lake).unlink()
    built = [item.outcome.delivery_id for item in pin.deliveries if item.outcome.period != "2026-01-07"]
    assert check_agreement(bank.settings, pin, built, CHANNELS) == []


def test_a_channel_is_asked_before_the_others_have_come(bank: Bank) -> None:
    """The gate of a channel stops its own disagreement; what refers to another channel is asked about in `build`."""
    bank.deliver("customers", [CUSTOMER])
    bank.deliver("accounts", [ACCOUNT])
    bank.deliver("campaign_touches", many(TOUCH, "touch_id", 9))
    assert check_agreement(bank.settings, known(bank), (), ["online"]) == []
    assert [line.partition(": ")[2][:11] for line in doubts(bank)] == ["9 of 9 rows"]
    bank.deliver("accounts", many(ACCOUNT, "account_no", 9, customer_no="nobody"), period=NEXT)
    pin = known(bank)
    assert check_agreement(bank.settings, pin, (), ["online", "reference", "feedback"]) == []
    with pytest.raises(Disagreement, match="9 of 9 rows have a customer_no"):
        check_agreement(bank.settings, pin, (), ["branch"])


def test_a_few_rows_of_many_and_rows_of_optional_feeds_are_said_and_do_not_wait(bank: Bank) -> None:
    bank.deliver("accounts", [ACCOUNT])
    bank.deliver("customers", [CUSTOMER])
    bank.deliver("transactions", [*many(POSTING, "txn_id", 2000), POSTING | {"account_no": "elsewhere"}])
    bank.deliver("branch_visits", many(VISIT, "ticket_id", 9))
    said = doubts(bank)
    assert [line.split(" rows have")[0].partition(": ")[2] for line in said if "customer_no" in line] == ["9 of 9"]
    assert [line.split(" rows have")[0].partition(": ")[2] for line in said if "account_no" in line] == ["1 of 2001"]


@pytest.mark.parametrize("why", ["in quarantine", "rejected"])
def test_what_is_missing_for_a_reason_that_was_said_does_not_wait(bank: Bank, why: str) -> None:
    bank.deliver("accounts", [ACCOUNT, ACCOUNT | {"account_no": "A2"} | ({"status": "?"} if why != "rejected" else {})])
    if why == "rejected":
        bank.deliver("accounts", [ACCOUNT | {"account_no": "A2", "status": "?"}] * 9, period=NEXT)
        bank.deliver("transactions", many(POSTING, "txn_id", 9, account_no="A3"))
    else:
        bank.deliver("transactions", many(POSTING, "txn_id", 9, account_no="A2"))
    assert [line.split(": ")[1][:6] for line in doubts(bank)] == ["9 of 9"]


def pair(bank: Bank, feed: str, first: Row, second: Row) -> pa.Table:
    """The two rows in two deliveries, and the pair as the warehouse lists it."""
    bank.deliver(feed, [first])
    bank.deliver(feed, [second], period=NEXT)
    kept, dropped = (item.outcome.delivery_id for item in known(bank).of(feed))
    return pa.table({"kept_delivery": [kept], "kept_row": [2], "dropped_delivery": [dropped], "dropped_row": [2]})


@pytest.mark.parametrize("change", [{"amount": "13.00"}, {"direction": "C"}, {"account_no": "A9"}], ids=str)
@pytest.mark.faults("keys", store="lake")
def test_a_number_that_is_told_again_otherwise_waits(bank: Bank, change: Row) -> None:
    repeats = pair(bank, "transactions", POSTING, POSTING | change | {"business_date": NEXT})
    with pytest.raises(Disagreement) as stop:
        doubts(bank, repeats)
    assert f"1 of 1 rows tell a txn_id again that transactions/{DAY}/v1" in str(stop.value)
    assert f"({next(iter(change))}): the one known first counts" in str(stop.value)
    accept(bank.settings, repeats["dropped_delivery"][0].as_py(), "S0042", "the first one was a slip")
    assert doubts(bank, repeats) == []


def test_a_repeat_over_a_cut_off_is_no_conflict_and_one_of_an_optional_feed_is_said(bank: Bank) -> None:
    assert doubts(bank, pair(bank, "transactions", POSTING, POSTING | {"business_date": NEXT})) == []
    repeats = pair(bank, "complaints", COMPLAINT, COMPLAINT | {"category": "service"})
    (said,) = doubts(bank, repeats)
    assert "(category): the one known first counts" in said


def test_a_state_that_is_told_again_otherwise_is_said(bank: Bank) -> None:
    bank.deliver("accounts", [ACCOUNT])
    bank.deliver("balances", [BALANCE])
    bank.deliver("balances", [BALANCE | {"balance": "6.00"}, BALANCE | {"business_date": NEXT}], period=NEXT)
    (said,) = doubts(bank)
    assert "1 of 2 rows tell a state again that other deliveries tell otherwise (balance): the one known last" in said


def test_what_was_built_is_not_asked_about_again(bank: Bank) -> None:
    bank.deliver("accounts", [ACCOUNT])
    bank.deliver("transactions", many(POSTING, "txn_id", 5, account_no="unknown"))
    pin = known(bank)
    built = {item.outcome.delivery_id for item in pin.deliveries}
    assert check_agreement(bank.settings, pin, built, CHANNELS) == []


@pytest.fixture
def quiet(bank: Bank, tmp_path: Path) -> Quiet:
    """A bank that needs postings alone, and delivers on some days."""

    def make(*numbers: int, delivery_days: str = "") -> Bank:
        deployment = tmp_path / "quiet.yml"
        declared = "name: quiet\ncurrency: CNY\nfour_eyes: false\nrequired: [transactions]\n"
        deployment.write_text(f"{declared}{delivery_days}\n")
        for number in numbers:
            day = str(date(2026, 1, 5) + timedelta(days=number))  # 2026-01-05 is a Monday
            bank.deliver("transactions", postings({"business_date": day, "txn_id": f"T{number}"}), period=day)
        bank.settings = bank.settings.model_copy(update={"deployment": deployment})
        bank.ingest("transactions")
        return bank

    return make


def require(bank: Bank, number: int) -> None:
    pipeline.check_delivered(bank.settings, date(2026, 1, 5) + timedelta(days=number), ["branch"], "test")


@pytest.mark.parametrize(("days", "missing"), [((0, 2), "2026-01-06"), ((0, 1, 4), "2026-01-07, 2026-01-08")])
@pytest.mark.faults("missing_days", store="lake")
def test_a_day_on_which_no_feed_delivered_waits(quiet: Quiet, days: tuple[int, ...], missing: str) -> None:
    bank = quiet(*days)
    with pytest.raises(pipeline.NotReady, match=f"no feed has delivered for {missing}; .*c360 accept DAY"):
        require(bank, days[-1])
    for day in missing.split(", "):
        accept_silence(bank.settings, date.fromisoformat(day), "S0042", "the bank was shut")
    require(bank, days[-1])


def test_days_on_which_the_bank_never_delivers_are_not_missed(quiet: Quiet) -> None:
    days = "delivery_days: [monday, tuesday, wednesday, thursday, friday]"
    require(quiet(3, 4, 7, delivery_days=days), 7)


def test_a_day_with_deliveries_is_not_accepted_as_silent(quiet: Quiet) -> None:
    with pytest.raises(Stop, match="has deliveries"):
        accept_silence(quiet(0).settings, date(2026, 1, 5), "S0042", "so")


def test_the_gate_before_the_build_asks(quiet: Quiet) -> None:
    bank = quiet(0)
    bank.deliver("accounts", [ACCOUNT | {"account_no": "another"}])
    bank.deliver("transactions", many(POSTING | {"business_date": NEXT}, "txn_id", 9), period=NEXT)
    known(bank)
    with pytest.raises(Disagreement, match="9 of 9 rows have a account_no"):
        require(bank, 1)


def test_check_says_what_a_file_would_refer_to(bank: Bank) -> None:
    bank.deliver("accounts", [ACCOUNT])
    known(bank)
    file = bank.settings.lake.parent / "export.txt"
    file.write_bytes(delimited("transactions", many(POSTING, "txn_id", 3, account_no="unknown")))
    assert check(bank.settings, file, "transactions", NEXT).unknown == {"account_no": 3}
