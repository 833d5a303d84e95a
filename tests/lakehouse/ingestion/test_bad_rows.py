"""A bad row goes to quarantine with its line, column and reason, and never harms its neighbours."""

import hmac
from datetime import date, datetime
from decimal import Decimal

import pytest

from tests.conftest import SECRET
from tests.lakehouse.ingestion.bank import (
    ADJUSTMENT,
    CUSTOMER,
    DAY,
    ORDER,
    POSTING,
    Bank,
    delimited,
    json_lines,
    postings,
)

GOOD = [{}] * 3


@pytest.mark.parametrize(
    ("column", "text", "reason"),
    [
        ("txn_id", "", "missing_value"),
        ("amount", "", "missing_value"),
        *[("amount", text, "invalid_type") for text in ["1.005", "1,000.00", "1e2", "1_000", "+5", ".5", "5.", " 5"]],
        *[
            ("amount", text, "invalid_type")
            for text in ["NaN", "inf", "１２", "0x10", "5 ", "--5", "99999999999999999"]
        ],
        ("amount", "-0.01", "out_of_range"),
        *[("business_date", text, "invalid_type") for text in ["2026-1-5", "2026/01/05", "05-01-2026", "20260105"]],
        *[
            ("business_date", text, "invalid_type")
            for text in ["2026-02-30", f"{DAY} ", "0000-01-01", f"{DAY} 00:00:00"]
        ],
        ("business_date", "2026-01-06", "outside_period"),
        *[("txn_at", text, "invalid_type") for text in [DAY, f"{DAY}T10:00:00", f"{DAY} 10:00", f"{DAY} 24:00:00"]],
        *[("txn_at", f"{DAY} {text}", "invalid_type") for text in ["10:00:00Z", "10:00:00.5", "9:00:00", "23:59:60"]],
        ("direction", "c", "not_allowed"),
        ("channel", "telepathy", "not_allowed"),
    ],
)
@pytest.mark.faults("impossible", store="lake")
def test_a_value_that_breaks_its_rule(bank: Bank, column: str, text: str, reason: str) -> None:
    rows = postings({}, {column: text}, {})
    bank.deliver("transactions", rows)
    (outcome,) = bank.ingest("transactions")
    assert bank.quarantine(outcome) == [(3, column, reason)]
    assert bank.read(outcome.lake_file, "txn_id, _row") == [("T1", 2), ("T3", 4)]
    assert (outcome.rows_delivered, outcome.rows_loaded, outcome.rows_quarantined) == (3, 2, 1)


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("amount", "0"),
        ("amount", "0.0"),
        ("amount", "007.50"),
        ("amount", "9999999999999.99"),
        ("business_date", "1970-01-02"),
        ("txn_at", f"{DAY} 23:59:59"),
        ("remark", " "),
        ("remark", "null"),
        ("remark", "NaN"),
    ],
)
def test_a_value_at_the_edge_of_its_rule_is_loaded(bank: Bank, column: str, text: str) -> None:
    bank.deliver("transactions", postings({column: text}))
    (outcome,) = bank.ingest("transactions")
    assert (outcome.outcome, outcome.rows_quarantined) == ("loaded", 0)
    if column == "remark":
        assert bank.read(outcome.lake_file, "remark") == [(text,)]


@pytest.mark.parametrize(
    ("given", "column", "reason"),
    [
        ({"approved_by": ""}, "approved_by", "missing_value"),
        ({"prepared_by": ""}, "prepared_by", "missing_value"),
        ({"approved_by": "S0042"}, "approved_by", "same_as_other"),
        ({"approved_by": " s00\u200b42\u3000"}, "approved_by", "same_as_other"),
        ({"element": "marts.customer_360.star_tier"}, "element", "not_allowed"),
        ({"reason": ""}, "reason", "missing_value"),
        ({"evidence_reference": ""}, "evidence_reference", "missing_value"),
    ],
)
def test_an_adjustment_needs_two_people_a_reason_evidence_and_an_element_that_may_be_adjusted(
    bank: Bank, given: dict, column: str, reason: str
) -> None:
    bank.deliver("adjustments", [ADJUSTMENT, ADJUSTMENT | {"adjustment_id": "A2"} | given])
    (outcome,) = bank.ingest("adjustments")
    assert bank.quarantine(outcome) == [(3, column, reason)]
    assert bank.read(outcome.lake_file, "adjustment_id, prepared_by, _row") == [("A1", "S0042", 2)]


@pytest.mark.parametrize(
    ("feed", "row", "column", "text", "reason"),
    [
        ("customers", CUSTOMER, "is_marketing_opt_out", "TRUE", "invalid_type"),
        ("customers", CUSTOMER, "is_marketing_opt_out", "1", "invalid_type"),
        ("complaints", None, "severity", "2.0", "invalid_type"),
        ("complaints", None, "severity", "4", "out_of_range"),
        ("complaints", None, "severity", "99999999999", "invalid_type"),
    ],
)
@pytest.mark.faults("impossible", store="lake")
def test_booleans_and_integers(bank: Bank, feed: str, row: dict | None, column: str, text: str, reason: str) -> None:
    complaint = {
        "complaint_id": "K1",
        "business_date": DAY,
        "customer_no": "C1",
        "received_at": f"{DAY} 09:00:00",
        "channel": "phone",
        "category": "fees",
        "severity": "3",
    }
    key = {"customers": "customer_no", "complaints": "complaint_id"}[feed]
    good = row or complaint
    bank.deliver(feed, [good, {**good, key: "other", column: text}])
    (outcome,) = bank.ingest(feed)
    assert bank.quarantine(outcome) == [(3, column, reason)]


def test_a_row_with_several_faults_is_quarantined_once_for_the_first_column(bank: Bank) -> None:
    rows = postings({}, {"direction": "X", "business_date": "soon", "amount": "", "channel": "?"})
    bank.deliver("transactions", rows)
    (outcome,) = bank.ingest("transactions")
    assert bank.quarantine(outcome) == [(3, "business_date", "invalid_type")]


def test_quarantine_says_where_the_row_was_and_what_it_said(bank: Bank) -> None:
    bank.deliver("transactions", postings({}, {"direction": "X"}, {"business_date": "soon"}))
    (outcome,) = bank.ingest("transactions")
    assert outcome.quarantine_file == f"quarantine/transactions/period={DAY}/v1-{outcome.source_hash[:12]}.parquet"
    place = ("transactions", DAY, 1, f"transactions_{DAY}_v1.dat")
    token = hmac.digest(SECRET.encode(), b"6222000001", "sha256").hex()
    first = f"T2|6222000001|{DAY}|{DAY} 10:30:00|12.50|X|mobile|purchase|||"
    second = f"T3|6222000001|soon|{DAY} 10:30:00|12.50|D|mobile|purchase|||"
    assert bank.read(outcome.quarantine_file) == [
        (*place, 3, "direction", "not_allowed", first, date(2026, 1, 5), token),
        (*place, 4, "business_date", "invalid_type", second, None, None),
    ]


@pytest.mark.faults("keys", store="lake")
def test_the_first_of_equal_keys_stays_and_one_that_says_otherwise_is_told_from_a_repeat(bank: Bank) -> None:
    rows = postings({}, {"txn_id": "T1", "amount": "1.00"}, {}, {"txn_id": "T1", "direction": "X"}, {"txn_id": "T1"})
    bank.deliver("transactions", rows)
    (outcome,) = bank.ingest("transactions")
    assert bank.quarantine(outcome) == [
        (3, "txn_id", "conflicting_key"),
        (5, "direction", "not_allowed"),
        (6, "txn_id", "duplicate_key"),
    ]
    assert bank.read(outcome.lake_file, "txn_id, amount") == [("T1", Decimal("12.50")), ("T3", Decimal("12.50"))]


NEIGHBOURS = {
    "good": {},
    "bad": {"direction": "X"},
    "quoted": {"remark": 'paid "in full"'},
    "with a delimiter in quotes": {"remark": "one|two"},
    "over two lines": {"remark": "one\ntwo"},
}


@pytest.mark.parametrize("end", ["|", '||""'])
@pytest.mark.parametrize("neighbour", NEIGHBOURS)
def test_a_row_that_ends_with_a_delimiter_is_judged_alike_whatever_its_neighbours(
    bank: Bank, neighbour: str, end: str
) -> None:
    header, first, *rest = delimited("transactions", postings({}, NEIGHBOURS[neighbour], {})).decode().splitlines()
    content = "\n".join([header, first + end, *rest, ""]).encode()
    bank.deliver("transactions", content, rows=3, sums={"amount": "37.50"})
    (outcome,) = bank.ingest("transactions")
    assert bank.quarantine(outcome)[0] == (2, None, "wrong_column_count")
    assert outcome.rows_loaded == (1 if neighbour == "bad" else 2)


@pytest.mark.faults("keys", store="lake")
def test_a_bad_row_does_not_hold_its_key(bank: Bank) -> None:
    bank.deliver("transactions", postings({"direction": "X"}, {"txn_id": "T1"}))
    (outcome,) = bank.ingest("transactions")
    assert bank.read(outcome.lake_file, "txn_id, _row") == [("T1", 3)]


def test_a_delta_may_change_a_record_on_several_days_but_once_a_day(bank: Bank) -> None:
    rows = [{**CUSTOMER, "business_date": day} for day in ("2026-01-05", "2026-01-06", "2026-01-06")]
    bank.deliver("customers", rows, period="2026-01", load="initial", cutoff_at="2026-01-31T23:59:59+08:00")
    (outcome,) = bank.ingest("customers")
    assert bank.quarantine(outcome) == [(4, "customer_no", "duplicate_key")]


def test_late_rows_are_loaded_and_counted(bank: Bank) -> None:
    bank.deliver("transactions", postings({"business_date": "2026-01-04"}, {}, {"business_date": "2025-12-30"}))
    (outcome,) = bank.ingest("transactions")
    assert (outcome.outcome, outcome.rows_loaded, outcome.late_rows) == ("loaded", 3, 2)
    assert outcome.min_business_date == date(2025, 12, 30)


def good_line(number: int) -> str:
    return delimited("transactions", [{**POSTING, "txn_id": f"T{number}"}]).decode().splitlines()[1]


@pytest.mark.parametrize(
    "broken",
    [
        good_line(2).removesuffix("|"),
        good_line(2) + "|",
        good_line(2) + "|one|two|three",
        "just words",
        good_line(2).replace("|D|", '|"D|'),
        good_line(2).replace("|D|", '|"D"x|'),
        good_line(2) + '"',
        good_line(2) + '"never closed',
        '"' + good_line(2),
    ],
)
@pytest.mark.faults("columns", store="lake")
def test_a_line_with_the_wrong_shape_costs_only_itself(bank: Bank, broken: str) -> None:
    content = "\n".join([*delimited("transactions", []).decode().splitlines(), good_line(1), broken, good_line(3)])
    content += (
        "\n" + good_line(4) + 'a quoted "word"\n' + good_line(5) + '"and | a\nline ""break"""\n' + good_line(6) + "\n"
    )
    bank.deliver("transactions", content.encode(), rows=6, sums={"amount": "62.50"})
    (outcome,) = bank.ingest("transactions")
    assert bank.quarantine(outcome) == [(3, None, "wrong_column_count")]
    assert bank.read(outcome.lake_file, "txn_id, _row, remark") == [
        ("T1", 2, None),
        ("T3", 4, None),
        ("T4", 5, 'a quoted "word"'),
        ("T5", 6, 'and | a\nline "break"'),
        ("T6", 8, None),
    ]
    (raw,) = bank.read(outcome.quarantine_file, "raw_text, business_date, account_no_token")
    assert raw[0] == broken


@pytest.mark.faults("texts", store="lake")
def test_two_broken_quotes_cost_two_rows(bank: Bank) -> None:
    rows = [good_line(number) for number in range(1, 8)]
    rows[1] += '"open'
    rows[4] = rows[4].replace("|D|", '|D"|').replace("mobile", '"mobile')
    content = "\n".join([*delimited("transactions", []).decode().splitlines(), *rows, ""])
    bank.deliver("transactions", content.encode(), rows=7, sums={"amount": "0"})
    (outcome,) = bank.ingest("transactions")
    assert bank.quarantine(outcome) == [(3, None, "wrong_column_count"), (6, None, "wrong_column_count")]
    assert [row[1] for row in bank.read(outcome.lake_file, "txn_id, _row")] == [2, 4, 5, 7, 8]


@pytest.mark.faults("texts", store="lake")
def test_broken_quotes_in_a_file_of_many_blocks(bank: Bank) -> None:
    """Some 9 MB with records of several lines: those at the end of a block wait for the next, and rows stay right."""
    changes = [{"remark": f'{number} "x"\n|' * (number % 3) + "y" * 400} for number in range(20_000)]
    text = delimited("transactions", postings(*changes)).decode()
    keys = ("T100", "T10000", "T19999")
    rows = [text[: text.index(f"{key}|")].count("\n") + 1 for key in keys]
    for key in keys:
        text = text.replace(f"{key}|", f'"{key}|')
    bank.deliver("transactions", text.encode(), rows=20_000, sums={"amount": "0"})
    (outcome,) = bank.ingest("transactions")
    assert bank.quarantine(outcome) == [(row, None, "wrong_column_count") for row in rows]
    loaded = bank.read(outcome.lake_file, "txn_id, remark, _row")
    lines = text.split("\n")
    assert len(loaded) == 19_997
    assert all(lines[row - 1].startswith(f"{key}|") for key, _, row in loaded)
    assert all(remark == changes[int(key[1:]) - 1]["remark"] for key, remark, _ in loaded)


@pytest.mark.faults("texts", store="lake")
def test_quotes_that_open_everywhere_cost_their_rows_and_no_time(bank: Bank) -> None:
    """Each line opens a quote that only doubled quotes follow."""
    rows = ['T|A|"' + 'x""y' * 10 for _ in range(20_000)]
    content = "\n".join([*delimited("transactions", []).decode().splitlines(), good_line(1), *rows, good_line(2), ""])
    bank.deliver("transactions", content.encode(), rows=20_002, sums={"amount": "0"})
    (outcome,) = bank.ingest("transactions")
    assert "20000 of 20002 rows are bad" in outcome.reason
    assert bank.read(outcome.quarantine_file, "row, reason")[-1] == (20_002, "wrong_column_count")


@pytest.mark.faults("texts", store="lake")
def test_a_line_without_end_is_rejected(bank: Bank) -> None:
    content = delimited("transactions", postings({})) + b"x" * 25_000_000
    bank.deliver("transactions", content, rows=2, sums={"amount": "0"})
    (outcome,) = bank.ingest("transactions")
    assert outcome.outcome == "rejected"
    assert f"transactions_{DAY}_v1.dat: a line from row 3 on is over" in outcome.reason


def test_a_broken_record_of_several_lines_rejects_the_delivery(bank: Bank) -> None:
    """Its lines stand for themselves, so the count cannot hold; guessing where it ends could swallow good rows."""
    text = delimited("transactions", postings({}, {"remark": "two\nlines"}, {})).decode().replace("T2|", '"T2|')
    bank.deliver("transactions", text.encode(), rows=3, sums={"amount": "37.50"})
    (outcome,) = bank.ingest("transactions")
    assert outcome.outcome == "rejected"
    assert "3 rows expected by the manifest, 4 found" in outcome.reason


@pytest.mark.parametrize(
    ("feed", "encoding", "bad"),
    [("customers", "gb18030", b"\xff"), ("customers", "gb18030", b"\xb0\n"), ("accounts", "utf-8", b"\xc3\x28")],
)
@pytest.mark.faults("texts", store="lake")
def test_bytes_that_are_no_text(bank: Bank, feed: str, encoding: str, bad: bytes) -> None:
    account = {
        "account_no": "A1",
        "business_date": DAY,
        "customer_no": "C1",
        "product_code": "P1",
        "branch_code": "B1",
        "currency": "CNY",
        "opened_date": DAY,
        "status": "open",
    }
    key, row = {"customers": ("customer_no", CUSTOMER), "accounts": ("account_no", account)}[feed]
    good = delimited(feed, [{**row, key: name} for name in ("K1", "K2", "K3")]).splitlines()
    good[2] = good[2].rstrip(b"\n") + bad.rstrip(b"\n")
    bank.deliver(feed, b"\n".join([*good, b""]), rows=3)
    (outcome,) = bank.ingest(feed)
    assert bank.quarantine(outcome) == [(3, None, "invalid_encoding")]
    assert bank.read(outcome.lake_file, f"{key}, _row") == [("K1", 2), ("K3", 4)]
    ((raw, day),) = bank.read(outcome.quarantine_file, "raw_text, business_date")
    assert "\\x" in raw
    assert day == date(2026, 1, 5)


@pytest.mark.faults("texts", store="lake")
def test_a_nul_is_no_text(bank: Bank) -> None:
    """Postgres could not hold it."""
    content = delimited("transactions", postings({}, {"remark": "a\0b"}, {}))
    bank.deliver("transactions", content, rows=3, sums={"amount": "37.50"})
    bank.deliver(
        "mall_orders",
        json_lines(
            ORDER, {**ORDER, "order_id": "O2", "category": "a\0b"}, {**ORDER, "order_id": "O3", "category": "\\u0000"}
        ),
        rows=3,
        sums={"amount": "37.50"},
    )
    for feed, row in (("transactions", 3), ("mall_orders", 2)):
        (outcome,) = bank.ingest(feed)
        assert bank.quarantine(outcome) == [(row, None, "invalid_encoding")]


@pytest.mark.faults("texts", store="lake")
def test_carriage_returns_blank_lines_and_a_byte_order_mark_are_tolerated(bank: Bank) -> None:
    unix = delimited("transactions", postings({"remark": "a"}, {"remark": "b | c"}, {"remark": 'd\r\n"e'}))
    content = b"\xef\xbb\xbf" + unix.replace(b"\n", b"\r\n").replace(b"\r\r\n", b"\r\n")
    bank.deliver("transactions", content.replace(b"T2|", b"\r\n\r\nT2|"), rows=3, sums={"amount": "37.50"})
    (outcome,) = bank.ingest("transactions")
    assert bank.read(outcome.lake_file, "remark, _row") == [("a", 2), ("b | c", 5), ('d\r\n"e', 6)]


@pytest.mark.parametrize(
    ("line", "column", "reason"),
    [
        ("{", None, "invalid_json"),
        ("not json", None, "invalid_json"),
        ('["O2"]', None, "invalid_json"),
        ("5", None, "invalid_json"),
        ("null", None, "invalid_json"),
        ({**ORDER, "order_id": None}, "order_id", "missing_value"),
        ({**ORDER, "order_id": ""}, "order_id", "missing_value"),
        ({key: value for key, value in ORDER.items() if key != "category"}, "category", "missing_value"),
        ({**ORDER, "order_id": 2}, "order_id", "invalid_type"),
        ({**ORDER, "order_id": "O2", "category": ["books"]}, "category", "invalid_type"),
        ({**ORDER, "order_id": "O2", "amount": "12.50"}, "amount", "invalid_type"),
        ({**ORDER, "order_id": "O2", "amount": 1.005}, "amount", "invalid_type"),
        ({**ORDER, "order_id": "O2", "amount": 1e30}, "amount", "invalid_type"),
        ({**ORDER, "order_id": "O2", "amount": float("nan")}, "amount", "invalid_type"),
        ({**ORDER, "order_id": "O2", "amount": True}, "amount", "invalid_type"),
        ({**ORDER, "order_id": "O2", "amount": {"amount": 5}}, "amount", "invalid_type"),
        ({**ORDER, "order_id": "O2", "amount": -1}, "amount", "out_of_range"),
        ({**ORDER, "order_id": "O2", "ordered_at": f"{DAY}T08:00:00Z"}, "ordered_at", "invalid_type"),
        ({**ORDER, "order_id": "O2", "business_date": "2026-01-06"}, "business_date", "outside_period"),
        ({**ORDER, "order_id": "O2", "status": "lost"}, "status", "not_allowed"),
        ({**ORDER, "order_id": "O2", "mood of day": "fine"}, None, "unknown_key"),
        ('{"order_id": "O2", "order_id": "O3"}', None, "invalid_json"),
        (ORDER, "order_id", "duplicate_key"),
        ({**ORDER, "amount": 13.5}, "order_id", "conflicting_key"),
    ],
)
def test_a_bad_json_line(bank: Bank, line: object, column: str | None, reason: str) -> None:
    content = json_lines(ORDER, line, {**ORDER, "order_id": "O9"})
    bank.deliver("mall_orders", content, rows=3, sums={"amount": "37.50"})
    (outcome,) = bank.ingest("mall_orders")
    if outcome.outcome == "rejected":  # the bad amount can be read, so the sum must hold it
        assert "control sum" in outcome.reason
    assert bank.quarantine(outcome) == [(2, column, reason)]


def test_json_values_keep_every_cent(bank: Bank) -> None:
    """As a double, the amount would be a cent more."""
    line = '{"status":"paid", "amount" : 9999999999999.99 ,"order_id":"O1","business_date":"2026-01-05",'
    line += '"user_id":"U\\"1\\u4e2d","ordered_at":"2026-01-05 08:00:00","category":"\\"amount\\": 1"}'
    bank.deliver("mall_orders", json_lines(line), rows=1, sums={"amount": "9999999999999.99"})
    (outcome,) = bank.ingest("mall_orders")
    assert bank.read(outcome.lake_file, "amount, user_id, ordered_at, category") == [
        (Decimal("9999999999999.99"), 'U"1中', datetime(2026, 1, 5, 8), '"amount": 1')
    ]


def test_over_the_limit_nothing_is_loaded_but_the_reasons_are_kept(bank: Bank) -> None:
    rows = postings(*[{}] * 594, *[{"direction": "X"}] * 4, {"amount": "x"}, {"txn_at": ""}, {"channel": "?"})
    bank.deliver("transactions", rows)
    (outcome,) = bank.ingest("transactions")
    assert outcome.outcome == "rejected"
    name = f"transactions_{DAY}_v1.dat"
    for word in ("7 of 601 rows", "6.01", "5 not_allowed", "1 missing_value", f"{name}: row 596: column direction"):
        assert word in outcome.reason
    assert (outcome.rows_delivered, outcome.rows_loaded, outcome.rows_quarantined) == (601, 0, 7)
    assert outcome.lake_file is None
    assert len(bank.quarantine(outcome)) == 7
    assert not any(file.startswith("raw/") for file in bank.files())


@pytest.mark.parametrize(("rows", "bad", "expected"), [(20, 5, "loaded"), (20, 6, "rejected"), (1000, 10, "loaded")])
def test_the_limit_is_a_rate_with_a_floor_for_small_files(bank: Bank, rows: int, bad: int, expected: str) -> None:
    bank.deliver("transactions", postings(*[{}] * (rows - bad), *[{"direction": "X"}] * bad))
    assert [outcome.outcome for outcome in bank.ingest("transactions")] == [expected]


def test_reference_data_tolerates_no_bad_row(bank: Bank) -> None:
    good = {"branch_code": "B1", "branch_name": "总行"}
    bank.deliver("branches", [good, {"branch_code": "B2"}])
    (outcome,) = bank.ingest("branches")
    assert outcome.outcome == "rejected"
    assert "1 of 2 rows are bad, more than the 0 allowed" in outcome.reason


def test_a_control_sum_holds_the_bad_rows_that_can_be_read(bank: Bank) -> None:
    rows = postings({}, {"direction": "X"}, {"amount": "-5.00"})
    bank.deliver("transactions", rows, sums={"amount": "20.00"})
    bank.deliver("transactions", rows, sums={"amount": "12.50"}, version=2)
    bank.deliver(
        "transactions", [*rows, {**POSTING, "txn_id": "T8", "amount": "x"}], sums={"amount": "99.00"}, version=3
    )
    first, second, third = bank.ingest("transactions")
    assert (first.outcome, second.outcome, third.outcome) == ("loaded", "rejected", "replaced")
    assert "12.50 expected by the manifest, 20.00 found" in second.reason


@pytest.mark.faults("columns", store="lake")
@pytest.mark.parametrize("text", ["CNY 12.50", "12,50", "0x0c"])
def test_a_column_that_has_got_another_type_rejects_the_delivery(bank: Bank, text: str) -> None:
    bank.deliver("transactions", postings(*[{"amount": text}] * 200), sums={"amount": "2500.00"})
    (outcome,) = bank.ingest("transactions")
    assert (outcome.outcome, outcome.rows_loaded) == ("rejected", 0)
    assert "amount" in outcome.reason and text not in outcome.reason


@pytest.mark.faults("texts", store="lake")
@pytest.mark.parametrize("size", [1_000_000, 10_000_000])
def test_a_field_of_ten_megabytes_harms_no_neighbour(bank: Bank, size: int) -> None:
    bank.deliver("transactions", postings({}, {"remark": "x" * size}, {}))
    (outcome,) = bank.ingest("transactions")
    assert (outcome.outcome, outcome.rows_loaded + outcome.rows_quarantined) == ("loaded", 3)
    assert {row[0] for row in bank.read(outcome.lake_file, "txn_id")} >= {"T1", "T3"}
