"""A file that somebody sends: what is said of it beforehand is what becomes of it."""

from decimal import Decimal
from pathlib import Path

import pytest

from lakehouse.contracts import load_feeds
from lakehouse.errors import Stop
from lakehouse.ingestion import check, land
from tests.lakehouse.ingestion.bank import CUSTOMER, DAY, ORDER, Bank, delimited, json_lines, postings

ROWS = postings({"amount": "1.10"}, {"amount": "7.00"}, {"direction": "C", "amount": "0.01"})
BAD = postings({"amount": "1.10"}, {"direction": "X"}, {"amount": "many"}, {"amount": "more"})


def written(bank: Bank, content: bytes, name: str = "export of the core system.txt") -> Path:
    path = bank.settings.lake.parent / name
    path.write_bytes(content)
    return path


def test_a_file_lands_with_a_manifest_that_agrees_with_it(bank: Bank) -> None:
    source = written(bank, delimited("transactions", ROWS))
    draft = land(bank.settings, source, "transactions", DAY)
    assert (draft.name, draft.findings.rows, draft.findings.kinds) == (f"transactions_{DAY}_v1.dat", 3, ())
    assert draft.findings.control_sums == {"amount": Decimal("8.11")}
    (outcome,) = bank.ingest("transactions")
    assert (outcome.outcome, outcome.rows_loaded, outcome.rows_quarantined) == ("loaded", 3, 0)


def test_bad_rows_are_named_by_column_and_row_and_never_shown(bank: Bank) -> None:
    findings = land(bank.settings, written(bank, delimited("transactions", BAD)), "transactions", DAY).findings
    assert [(kind.column, kind.reason, kind.rows, kind.first_row) for kind in findings.kinds] == [
        ("amount", "invalid_type", 2, 4),
        ("direction", "not_allowed", 1, 3),
    ]
    (outcome,) = bank.ingest("transactions")
    assert (outcome.rows_loaded, outcome.rows_quarantined) == (findings.rows - findings.bad_rows, findings.bad_rows)


def test_a_file_that_would_be_rejected_does_not_land(bank: Bank) -> None:
    source = written(bank, delimited("transactions", postings(*[{"direction": "X"}] * 9)))
    assert "9 of 9 rows are bad" in str(check(bank.settings, source, "transactions", DAY).findings.problem)
    with pytest.raises(Stop, match="9 of 9 rows are bad"):
        land(bank.settings, source, "transactions", DAY)
    assert not bank.settings.landing.exists()


def test_the_next_file_of_a_period_is_the_next_version(bank: Bank) -> None:
    source = written(bank, delimited("transactions", ROWS))
    names = [land(bank.settings, source, "transactions", DAY).name for _ in range(2)]
    assert names == [f"transactions_{DAY}_v{version}.dat" for version in (1, 2)]
    assert [outcome.outcome for outcome in bank.ingest("transactions")] == ["loaded", "replaced"]
    with pytest.raises(Stop, match="period 2026-01 overlaps"):
        land(bank.settings, source, "transactions", "2026-01")


def test_json_lines_land_compressed_and_only_so(bank: Bank) -> None:
    packed = json_lines(ORDER)
    assert land(bank.settings, written(bank, packed), "mall_orders", DAY).findings.rows == 1
    assert [outcome.rows_loaded for outcome in bank.ingest("mall_orders")] == [1]
    with pytest.raises(Stop, match="compressed JSON Lines"):
        check(bank.settings, written(bank, b'{"order_id": "1"}\n'), "mall_orders", DAY)


@pytest.mark.parametrize(
    ("feed", "period", "word"),
    [("transfers", DAY, "no feed transfers"), ("transactions", "5.1.2026", "no period"), ("customers", DAY, "row 1")],
)
def test_what_cannot_be_sent_says_why(bank: Bank, feed: str, period: str, word: str) -> None:
    with pytest.raises(Stop, match=word):
        check(bank.settings, written(bank, delimited("transactions", ROWS)), feed, period)


def test_every_feed_can_be_sent(bank: Bank) -> None:
    """A file with a header and no row is one that a quiet day has."""
    for name, feed in load_feeds().items():
        content = delimited(name, []) if feed.format == "delimited" else json_lines()
        assert check(bank.settings, written(bank, content), name, DAY).findings.rows == 0


PRODUCTS = [{"product_code": f"P{number}", "product_name": "x", "product_family": "current"} for number in range(20)]
NAMES = ("欧阳晓雯", "王小明", "司马相如", "联通", "李")
CUSTOMERS = [CUSTOMER | {"customer_no": f"C{number}", "name": name} for number, name in enumerate(NAMES)]
IMPLAUSIBLE = {
    "an empty snapshot": ("products", delimited("products", []), "2026-01-06", "a snapshot of 0 rows after one of 20"),
    "half a snapshot": ("products", delimited("products", PRODUCTS[:9]), "2026-01-06", "of 9 rows after one of 20"),
    "another encoding": ("customers", delimited("customers", CUSTOMERS).decode("GB18030").encode(), DAY, "UTF-8"),
    "a day far ahead": ("products", delimited("products", PRODUCTS), "2034-01-06", "days after the last one"),
}


@pytest.mark.parametrize("what", IMPLAUSIBLE)
def test_what_looks_wrong_is_said_beforehand_and_lands_under_a_name(bank: Bank, what: str) -> None:
    feed, content, period, sentence = IMPLAUSIBLE[what]
    bank.deliver("products", PRODUCTS)
    bank.ingest("products")
    source = written(bank, content)
    assert sentence in str(check(bank.settings, source, feed, period).implausible)
    with pytest.raises(Stop, match="give --by and --why"):
        land(bank.settings, source, feed, period)
    assert bank.ingest(feed, day="2034-12-31") == []
    land(bank.settings, source, feed, period, "S0042", "the shelf was cleared")
    assert [outcome.outcome for outcome in bank.ingest(feed, day="2034-12-31")] == ["loaded"]
