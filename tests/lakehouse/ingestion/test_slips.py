"""What people really send: each slip is recorded, rejected with a reason that shows no person, and gone on from."""

import gzip
import hashlib
import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from lakehouse.ingestion import feeds, framing
from lakehouse.lake import read_outcomes
from tests.lakehouse.ingestion.bank import CUSTOMER, ORDER, Bank, delimited, postings

PERSON = CUSTOMER | {
    "name": "欧阳晓雯",
    "phone": "13900001234",
    "id_no": "110101199003078888",
    "address": "中关村大街27号",
}
SECRETS = [PERSON[name] for name in ("name", "phone", "id_no", "address")]
ROWS = postings({}, {"amount": "7.00"})


def manifest_of(data: Path) -> Path:
    return data.with_name(f"{data.name.split('.')[0]}.manifest.json")


def change(data: Path, **stated: object) -> None:
    manifest = manifest_of(data)
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | stated, ensure_ascii=False))


def rejected(bank: Bank, feed: str = "transactions") -> str:
    """The reason of the feed's one delivery; the next good one is taken in."""
    (outcome,) = bank.ingest(feed)
    assert (outcome.outcome, outcome.lake_file) == ("rejected", None)
    assert bank.ingest(feed) == []
    if feed == "transactions":
        bank.deliver(feed, ROWS, period="2026-01-06")
        assert [after.outcome for after in bank.ingest(feed)] == ["loaded"]
    return outcome.reason


HEADERS: dict[str, Callable[[list[bytes]], bytes]] = {
    "without its header": lambda lines: lines[1],
    "with a customer for a header": lambda lines: b"\n".join([lines[1], lines[0], lines[1]]),
    "in which a customer stands beside the header": lambda lines: lines[0] + b"|" + lines[1] + b"\n" + lines[1],
    "with other delimiters": lambda lines: b"\n".join(lines).replace(b"|", b","),
    "of another kind": lambda lines: json.dumps(PERSON, ensure_ascii=False).encode("GB18030"),
}


@pytest.mark.parametrize("what", HEADERS)
def test_a_reason_shows_no_person(bank: Bank, what: str) -> None:
    lines = delimited("customers", [PERSON]).splitlines()
    bank.deliver("customers", HEADERS[what](lines), rows=1)
    reason = rejected(bank, "customers")
    assert "row 1" in reason
    assert not [text for text in SECRETS if text in reason]


def test_another_delimiter_is_named(bank: Bank) -> None:
    bank.deliver("transactions", delimited("transactions", ROWS).replace(b"|", b";"), rows=2, sums={"amount": "19.50"})
    assert "divided by ';'" in rejected(bank)


@pytest.mark.parametrize("key", ["欧阳晓雯", "13900001234", "Order_ID", "user_id ", "", "[/x]", "x" * 9_999])
def test_an_unknown_key_is_not_repeated(bank: Bank, key: str) -> None:
    bank.deliver("mall_orders", [*[ORDER | {"order_id": f"O{number}"} for number in range(99)], ORDER | {key: 1}])
    (outcome,) = bank.ingest("mall_orders")
    assert (outcome.rows_quarantined, bank.quarantine(outcome)) == (1, [(100, None, "unknown_key")])


STATED: dict[str, dict[str, object]] = {
    "cutoff": {"cutoff_at": "欧阳晓雯"},
    "feed": {"feed": "欧阳晓雯"},
    "sum of a column": {"control_sums": {"amount": "19.50", "欧阳晓雯": "1"}},
    "sum": {"control_sums": {"欧阳晓雯": "x"}},
    "file": {"files": [{"name": "欧阳 晓雯", "bytes": 1, "sha256": "欧阳晓雯"}]},
}


@pytest.mark.parametrize("what", STATED)
def test_a_manifest_is_not_repeated(bank: Bank, what: str) -> None:
    change(bank.deliver("transactions", ROWS), **STATED[what])
    assert "欧阳" not in rejected(bank)


def as_utf_16(data: Path) -> None:
    manifest = manifest_of(data)
    manifest.write_text(manifest.read_text(), encoding="utf-16")


def as_folder(data: Path) -> None:
    manifest_of(data).unlink()
    manifest_of(data).mkdir()


def as_link(data: Path) -> None:
    manifest_of(data).unlink()
    manifest_of(data).symlink_to(data.with_name("nowhere"))


def as_pipe(data: Path) -> None:
    manifest_of(data).unlink()
    os.mkfifo(manifest_of(data))


def data_as_pipe(data: Path) -> None:
    data.unlink()
    os.mkfifo(data)


def data_as_folder(data: Path) -> None:
    data.unlink()
    data.mkdir()


SPOILT: dict[str, tuple[Callable[[Path], object], str]] = {
    "brackets": (lambda data: manifest_of(data).write_text("[" * 200_000), "not a complete manifest"),
    "huge": (lambda data: manifest_of(data).write_text(" " * (1 << 21)), "over 1 MB"),
    "utf-16": (as_utf_16, "UTF-16"),
    "folder": (as_folder, "no file"),
    "dangling link": (as_link, "no file"),
    "pipe": (as_pipe, "no file"),
    "data a pipe": (data_as_pipe, "missing"),
    "data a folder": (data_as_folder, "missing"),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("what", SPOILT)
def test_what_is_no_delivery_is_recorded_and_gone_on_from(bank: Bank, what: str) -> None:
    spoil, word = SPOILT[what]
    spoil(bank.deliver("transactions", ROWS))
    assert word in rejected(bank)


@pytest.mark.parametrize("version", [1_000_000, 3_000_000_000, 10**30])
def test_a_version_beyond_all_versions_is_rejected(bank: Bank, version: int) -> None:
    bank.deliver("transactions", ROWS, version=version)
    assert "version" in rejected(bank)


CONTENT: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "CR alone": (lambda content: content.replace(b"\n", b"\r"), "CR alone"),
    "markup": (lambda content: b"[/x]" + content, "row 1"),
    "a line without end": (lambda content: b"x" * 200_000, "no header row"),
    "JSON": (lambda content: b'{"txn_id": "T1", "amount": 1}\n', "no header row"),
    "a header with NUL": (lambda content: b"\0" + content, "row 1"),
    "an open quote": (lambda content: b'"' + content, "row 1"),
}


@pytest.mark.parametrize("what", CONTENT)
def test_a_file_of_another_shape_is_rejected(bank: Bank, what: str) -> None:
    spoil, word = CONTENT[what]
    bank.deliver("transactions", spoil(delimited("transactions", ROWS)), rows=2, sums={"amount": "19.50"})
    assert word in rejected(bank)


LINES = delimited("transactions", postings({}, {}, {})).decode().splitlines()
MISCOUNTED: dict[str, tuple[list[str], int, str]] = {
    "the header counted": (LINES, 4, "counts the header row"),
    "a trailer record": ([*LINES, "TRAILER|3"], 3, "row 5, the last, has not the 11 fields .* trailer"),
    "a trailer of one field": ([*LINES, "3 rows"], 3, "row 5, the last, .* trailer"),
    "blank lines counted": ([*LINES[:2], "", *LINES[2:], ""], 5, "counts lines"),
    "header and blank lines counted": ([*LINES[:2], "", *LINES[2:]], 5, "counts lines"),
    "an open quote": ([*LINES[:2], LINES[2][:-1] + '|"open', LINES[3]], 2, "quote in line 3 is not closed"),
    "an open quote at the end": ([*LINES[:3], LINES[3][:-1] + '|"open'], 2, "quote in line 4 is not closed"),
    "rows that are missing": (LINES, 90, "send the delivery again whole"),
}


@pytest.mark.parametrize("what", MISCOUNTED)
@pytest.mark.faults("manifest", store="lake")
def test_another_row_count_names_its_likely_cause(bank: Bank, what: str) -> None:
    lines, rows, cause = MISCOUNTED[what]
    bank.deliver("transactions", ("\n".join(lines) + "\n").encode(), rows=rows, sums={"amount": "37.50"})
    reason = rejected(bank)
    assert f"{rows} rows expected" in reason
    assert re.search(cause, reason), reason


@pytest.mark.parametrize("other", [",", ";", "\t"])
@pytest.mark.parametrize("where", ["everywhere", "below the header"])
def test_another_delimiter_is_named_wherever_it_stands(bank: Bank, other: str, where: str) -> None:
    header, *rows = delimited("transactions", postings(*[{}] * 9)).decode().splitlines()
    content = "\n".join([header.replace("|", other) if where == "everywhere" else header, *rows])
    content = (
        content if where == "everywhere" else content.replace("|", other).replace(header.replace("|", other), header)
    )
    bank.deliver("transactions", content.encode(), rows=9, sums={"amount": "112.50"})
    assert f"divided by {other!r}" in rejected(bank)


@pytest.mark.faults("texts", store="lake")
def test_a_long_line_is_read_or_costs_itself(bank: Bank) -> None:
    rows = postings({"remark": "x" * 300_000}, {})
    bank.deliver("transactions", rows)
    (outcome,) = bank.ingest("transactions")
    assert outcome.rows_loaded == 2


def test_a_digest_in_capitals_and_a_byte_order_mark_are_read(bank: Bank) -> None:
    data = bank.deliver("transactions", ROWS)
    file = {
        "name": data.name,
        "bytes": data.stat().st_size,
        "sha256": hashlib.sha256(data.read_bytes()).hexdigest().upper(),
    }
    change(data, files=[file])
    manifest = manifest_of(data)
    manifest.write_bytes(b"\xef\xbb\xbf" + manifest.read_bytes())
    assert [outcome.outcome for outcome in bank.ingest("transactions")] == ["loaded"]


@pytest.mark.parametrize("amount", ["9999999999999999.99", "10000000000000.00", "99999999999999999.99"])
@pytest.mark.faults("impossible", store="lake")
def test_an_amount_that_no_sum_can_hold_costs_its_row(bank: Bank, amount: str) -> None:
    bank.deliver("transactions", postings({}, {"amount": amount}, {"amount": amount}))
    (outcome,) = bank.ingest("transactions")
    assert (outcome.rows_loaded, outcome.rows_quarantined) == (1, 2)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("line", [b"\n", b" ", b"\0", b'{"order_id": "O1"}\n'])
def test_what_unpacks_without_end_is_rejected(bank: Bank, line: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "_UNPACKED_FREELY", 1 << 23)
    bomb = gzip.compress(line * ((1 << 25) // len(line)), 9, mtime=0)
    bank.deliver("mall_orders", bomb, rows=0, sums={"amount": "0"})
    reason = rejected(bank, "mall_orders")
    assert "unpacks to more than 8 MB" in reason or "row 1 on is over" in reason


@pytest.mark.parametrize("how", ["replaced", "rewritten", "cut short", "removed", "linked"])
@pytest.mark.faults("manifest", store="lake")
def test_a_file_that_changes_meanwhile_is_not_loaded(bank: Bank, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = bank.deliver("transactions", ROWS)
    other = data.read_bytes().replace(b"7.00", b"9.00")
    load = feeds.load

    def swap_and_load(*arguments: object) -> object:
        target = data if how in ("rewritten", "cut short") else data.with_name("other")
        target.write_bytes(other[:-20] if how == "cut short" else other)
        data.unlink() if how in ("removed", "linked") else target.replace(data)
        if how == "linked":
            data.symlink_to(target)
        return load(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(feeds, "load", swap_and_load)
        (outcome,) = bank.ingest("transactions")
    assert (outcome.outcome, outcome.rows_loaded, outcome.lake_file) == ("rejected", 0, None)
    assert read_outcomes(bank.settings.lake) == [outcome]
