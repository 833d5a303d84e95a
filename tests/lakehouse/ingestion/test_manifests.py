"""A delivery is loaded wholly or not at all; its outcome says which figure disagreed and what to do."""

import hashlib
import json
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal

import duckdb
import pytest

from lakehouse.contracts import load_feeds
from lakehouse.errors import Stop
from lakehouse.ingestion import ingest_feed
from lakehouse.lake import read_outcomes
from tests.lakehouse.ingestion.bank import CUSTOMER, DAY, ORDER, Bank, delimited, json_lines, postings

ROWS = postings({}, {"amount": "7.00"}, {"direction": "C"})


def assert_rejected(bank: Bank, feed: str, *words: str) -> None:
    """The feed's one new delivery was rejected, for a reason with these words, and nothing of it is in the lake."""
    (outcome,) = bank.ingest(feed)
    assert outcome.outcome == "rejected"
    for word in words:
        assert word in outcome.reason
    assert (outcome.rows_loaded, outcome.lake_file) == (0, None)
    assert not any(file.startswith("raw/") for file in bank.files())
    assert read_outcomes(bank.settings.lake) == [outcome]


def test_a_good_delivery_becomes_one_typed_lake_file(bank: Bank) -> None:
    bank.deliver("transactions", ROWS)
    (outcome,) = bank.ingest("transactions")
    assert (outcome.outcome, outcome.reason, outcome.channel) == ("loaded", None, "branch")
    assert (outcome.rows_delivered, outcome.rows_loaded, outcome.rows_quarantined) == (3, 3, 0)
    assert (outcome.min_business_date, outcome.max_business_date, outcome.late_rows) == (*[date(2026, 1, 5)] * 2, 0)
    name = f"raw/transactions/period={DAY}/v1-{outcome.source_hash[:12]}.parquet"
    assert outcome.lake_file == name
    assert bank.files() == {name, f"deliveries/transactions/{DAY}.v1-{outcome.source_hash[:12]}.json"}
    rows = duckdb.sql(
        f"describe select * from read_parquet('{bank.settings.lake / name}', hive_partitioning = false)"
    ).fetchall()
    expected = [(column, type_.upper()) for column, type_ in load_feeds()["transactions"].lake_columns]
    assert [row[:2] for row in rows] == expected
    assert bank.read(name, "txn_id, txn_at, amount, remark, _file, _row, _known_date")[1] == (
        "T2",
        datetime(2026, 1, 5, 10, 30),
        Decimal("7.00"),
        None,
        f"transactions_{DAY}_v1.dat",
        3,
        date(2026, 1, 5),
    )


@pytest.mark.faults("same_file", store="lake")
def test_a_delivery_is_taken_once_and_only_when_its_cut_off_has_come(bank: Bank) -> None:
    bank.deliver("transactions", ROWS)
    assert bank.ingest("transactions", day="2026-01-04") == []
    assert len(bank.ingest("transactions", day=DAY)) == 1
    assert bank.ingest("transactions", day=DAY) == []


def test_the_cut_off_is_the_date_as_written(bank: Bank) -> None:
    bank.deliver("transactions", ROWS, cutoff_at="2026-01-06T00:30:00+08:00")
    assert bank.ingest("transactions", day=DAY) == []
    (outcome,) = bank.ingest("transactions", day="2026-01-06")
    assert outcome.cutoff_date == date(2026, 1, 6)
    assert bank.read(outcome.lake_file, "_known_date") == [(date(2026, 1, 6),)] * 3


def test_data_without_a_manifest_is_not_there_yet(bank: Bank) -> None:
    data = bank.deliver("transactions", ROWS)
    manifest = data.with_name(f"{data.stem}.manifest.json")
    manifest.rename(late := bank.settings.landing / "late.json")
    assert bank.ingest("transactions") == []
    late.rename(manifest)
    assert [outcome.outcome for outcome in bank.ingest("transactions")] == ["loaded"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": 2}, ["than its name"]),
        ({"period": "2026-01-06"}, ["than its name"]),
        ({"feed": "balances"}, ["than its name"]),
        ({"load": "weekly"}, ["load", "'initial' or 'daily'"]),
        ({"cutoff_at": "2026-01-05T23:59:59"}, ["cutoff_at", "timezone"]),
        ({"cutoff_at": 1767628799}, ["cutoff_at"]),
        ({"row_count": -1}, ["row_count"]),
        ({"files": []}, ["files"]),
        ({"files": [{"name": "../secrets.dat", "bytes": 1, "sha256": "0" * 64}]}, ["files.0.name"]),
        ({"cutoff_at": "2026-01-04T23:59:59+08:00"}, ["begins after the cut-off 2026-01-04"]),
        ({"control_sums": {}}, ["control sum of amount is missing"]),
        (
            {"control_sums": {"amount": "32.00", "direction": "1"}},
            ["control sum 2", "no column with numbers"],
        ),
        ({"control_sums": {"amount": "32.01"}}, ["control sum of amount", "32.01 expected", "32.00 found"]),
        ({"row_count": 4}, [f"transactions_{DAY}_v1.dat", "4 rows expected", "3 found", "again"]),
    ],
)
@pytest.mark.faults("manifest", store="lake")
def test_a_manifest_that_does_not_fit_rejects_the_delivery(bank: Bank, change: dict, words: list[str]) -> None:
    data = bank.deliver("transactions", ROWS)
    manifest = data.with_name(f"{data.stem}.manifest.json")
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | change))
    assert_rejected(bank, "transactions", manifest.name if "rows" not in str(words) else data.name, *words)


@pytest.mark.parametrize("missing", ["feed", "period", "version", "load", "cutoff_at", "row_count", "files"])
@pytest.mark.faults("manifest", store="lake")
def test_an_incomplete_manifest_rejects_the_delivery(bank: Bank, missing: str) -> None:
    data = bank.deliver("transactions", ROWS)
    manifest = data.with_name(f"{data.stem}.manifest.json")
    stated = json.loads(manifest.read_text())
    del stated[missing]
    manifest.write_text(json.dumps(stated))
    assert_rejected(bank, "transactions", manifest.name, missing, "send the manifest again")


@pytest.mark.parametrize("content", [b"", b'{"feed": "transac', b"\xff\xff", b"[]", b"null"])
@pytest.mark.faults("manifest", store="lake")
def test_an_unreadable_manifest_rejects_the_delivery(bank: Bank, content: bytes) -> None:
    data = bank.deliver("transactions", ROWS)
    data.with_name(f"{data.stem}.manifest.json").write_bytes(content)
    assert_rejected(bank, "transactions", "not a complete manifest")


@pytest.mark.faults("manifest", store="lake")
def test_a_truncated_file_is_rejected_and_loads_once_it_is_put_right(bank: Bank) -> None:
    data = bank.deliver("transactions", ROWS)
    whole = data.read_bytes()
    data.write_bytes(whole[:-40])
    (outcome,) = bank.ingest("transactions")
    assert outcome.outcome == "rejected"
    for word in (data.name, str(len(whole)), str(len(whole) - 40), "truncated"):
        assert word in outcome.reason
    assert bank.ingest("transactions") == []
    data.write_bytes(whole)
    assert [outcome.outcome for outcome in bank.ingest("transactions")] == ["loaded"]
    assert [outcome.outcome for outcome in read_outcomes(bank.settings.lake)].count("rejected") == 1


@pytest.mark.faults("manifest", store="lake")
def test_a_changed_byte_is_rejected(bank: Bank) -> None:
    data = bank.deliver("transactions", ROWS)
    data.write_bytes(data.read_bytes().replace(b"12.50", b"12.51"))
    assert_rejected(bank, "transactions", data.name, "sha256")


@pytest.mark.faults("manifest", store="lake")
def test_a_missing_file_is_rejected(bank: Bank) -> None:
    data = bank.deliver("transactions", ROWS)
    data.unlink()
    assert_rejected(bank, "transactions", data.name, "missing")


def test_a_feed_without_a_contract_is_rejected(bank: Bank) -> None:
    data = bank.deliver("transactions", ROWS)
    folder = bank.settings.landing / "gossip"
    folder.mkdir()
    stated = json.loads(data.with_name(f"{data.stem}.manifest.json").read_text()) | {"feed": "gossip"}
    (folder / f"gossip_{DAY}_v1.manifest.json").write_text(json.dumps(stated))
    data.rename(folder / data.name)
    assert_rejected(bank, "gossip", "no contract for gossip")


def test_a_manifest_whose_name_says_nothing_is_named_in_the_log(bank: Bank, caplog: pytest.LogCaptureFixture) -> None:
    data = bank.deliver("transactions", ROWS)
    for name in ("transactions_2026-13_v1.manifest.json", "final.manifest.json"):
        data.with_name(name).write_text("{}")
    assert [outcome.outcome for outcome in bank.ingest("transactions")] == ["loaded"]
    assert "transactions_2026-13_v1.manifest.json: ignored" in caplog.text
    assert "final.manifest.json: ignored" in caplog.text


@pytest.mark.parametrize("name", ["../transactions", "*", "", "transactions/x"])
def test_a_feed_is_a_plain_name(bank: Bank, name: str) -> None:
    with pytest.raises(Stop, match="is no feed"):
        ingest_feed(bank.settings, name, date(2026, 1, 5))


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (lambda names: names[:-1], ["column remark is missing"]),
        (lambda names: [*names, "mood"], ["field 12 is no column of the contract"]),
        (lambda names: ["number", *names[1:]], ["txn_id"]),  # renamed
        (lambda names: [names[1], names[0], *names[2:]], ["in another order than txn_id"]),
        (lambda names: [], ["no header row"]),
    ],
)
@pytest.mark.faults("columns", store="lake")
def test_a_wrong_header_rejects_the_file(bank: Bank, header: Callable, words: list[str]) -> None:
    names = [column.name for column in load_feeds()["transactions"].columns]
    content = delimited("transactions", ROWS).split(b"\n", 1)[1]
    bank.deliver("transactions", "|".join(header(names)).encode() + b"\n" + content, rows=3, sums={"amount": "32.00"})
    assert_rejected(bank, "transactions", f"transactions_{DAY}_v1.dat: row 1", *words)


@pytest.mark.faults("missing_days", store="lake")
def test_an_empty_file_has_no_header(bank: Bank) -> None:
    bank.deliver("transactions", b"", rows=0, sums={"amount": "0"})
    assert_rejected(bank, "transactions", "no header row")


@pytest.mark.parametrize(
    ("feed", "content", "sums"),
    [
        ("transactions", delimited("transactions", []), {"amount": "0"}),
        ("transactions", delimited("transactions", []).removesuffix(b"\n"), {"amount": "0.00"}),
        ("customers", delimited("customers", []), {}),
        ("mall_orders", json_lines(), {"amount": "0"}),
        ("mall_orders", b"", {"amount": "0"}),
    ],
)
@pytest.mark.faults("missing_days", store="lake")
def test_a_delta_with_nothing_to_say_is_loaded(bank: Bank, feed: str, content: bytes, sums: dict[str, str]) -> None:
    bank.deliver(feed, content, rows=0, sums=sums)
    (outcome,) = bank.ingest(feed)
    assert (outcome.outcome, outcome.rows_delivered, outcome.rows_loaded) == ("loaded", 0, 0)
    assert bank.read(outcome.lake_file) == []


@pytest.mark.faults("manifest", store="lake")
def test_rows_that_no_manifest_announced_are_rejected(bank: Bank) -> None:
    bank.deliver("transactions", ROWS, rows=0)
    assert_rejected(bank, "transactions", "0 rows expected", "3 found")


@pytest.mark.faults("manifest", store="lake")
def test_a_gzip_stream_that_ends_early_is_rejected_even_if_the_manifest_vouches_for_it(bank: Bank) -> None:
    content = json_lines(*({**ORDER, "order_id": f"O{number}"} for number in range(500)))
    bank.deliver("mall_orders", content[: len(content) // 2], rows=500, sums={"amount": "6250.00"})
    assert_rejected(bank, "mall_orders", f"mall_orders_{DAY}_v1.jsonl.gz", "broken gzip stream", "again")


def test_bytes_that_are_no_gzip_stream_are_rejected(bank: Bank) -> None:
    bank.deliver("mall_orders", b"<html>service unavailable</html>", rows=1, sums={"amount": "12.50"})
    assert_rejected(bank, "mall_orders", "broken gzip stream")


def test_a_new_version_replaces_and_the_old_one_stays(bank: Bank) -> None:
    bank.deliver("transactions", ROWS)
    (first,) = bank.ingest("transactions")
    bank.deliver("transactions", postings({"amount": "13.00"}), version=2)
    (second,) = bank.ingest("transactions")
    assert (first.outcome, second.outcome) == ("loaded", "replaced")
    assert {first.lake_file, second.lake_file} < bank.files()
    assert bank.read(second.lake_file, "amount") == [(Decimal("13.00"),)]


def test_versions_that_land_together_go_in_their_order(bank: Bank) -> None:
    bank.deliver("transactions", ROWS, version=10)
    bank.deliver("transactions", ROWS, version=2)
    assert [(item.version, item.outcome) for item in bank.ingest("transactions")] == [(2, "loaded"), (10, "replaced")]


@pytest.mark.faults("other_bytes", store="lake")
def test_a_loaded_version_may_not_change(bank: Bank) -> None:
    bank.deliver("transactions", ROWS)
    (first,) = bank.ingest("transactions")
    bank.deliver("transactions", postings({"amount": "99.00"}))
    (second,) = bank.ingest("transactions")
    assert second.outcome == "rejected"
    assert "version 1" in second.reason
    assert "new version" in second.reason
    assert bank.read(first.lake_file, "amount")[0] == (Decimal("12.50"),)
    assert bank.ingest("transactions") == []


@pytest.mark.parametrize(("loaded", "late"), [("2026-01", DAY), (DAY, "2026-01")])
def test_periods_of_a_feed_do_not_overlap(bank: Bank, loaded: str, late: str) -> None:
    load = {DAY: "daily", "2026-01": "initial"}
    bank.deliver("transactions", ROWS, period=loaded, load=load[loaded])
    bank.ingest("transactions")
    bank.deliver("transactions", ROWS, period=late, load=load[late], cutoff_at="2026-01-31T23:59:59+08:00")
    (outcome,) = bank.ingest("transactions")
    assert outcome.outcome == "rejected"
    for word in (loaded, late, "overlaps"):
        assert word in outcome.reason


def test_an_initial_load_was_known_day_by_day(bank: Bank) -> None:
    rows = postings({"business_date": "2026-01-03"}, {"business_date": "2026-01-20"})
    bank.deliver("transactions", rows, period="2026-01", load="initial", cutoff_at="2026-01-31T23:59:59+08:00")
    (outcome,) = bank.ingest("transactions")
    assert bank.read(outcome.lake_file, "business_date = _known_date") == [(True,), (True,)]
    assert (outcome.min_business_date, outcome.max_business_date) == (date(2026, 1, 3), date(2026, 1, 20))


def test_an_initial_snapshot_was_always_known_and_a_daily_one_from_its_cut_off(bank: Bank) -> None:
    product = {"product_code": "P1", "product_name": "活期", "product_family": "current"}
    bank.deliver("products", [product], period="2025-12", load="initial", cutoff_at="2025-12-31T23:59:59+08:00")
    bank.deliver("products", [product], period=DAY)
    known_dates = [bank.read(item.lake_file, "_known_date") for item in bank.ingest("products")]
    assert known_dates == [[(date(1900, 1, 1),)], [(date(2026, 1, 5),)]]


def test_several_files_make_one_delivery(bank: Bank) -> None:
    first = bank.deliver("transactions", ROWS)
    manifest = first.with_name(f"{first.stem}.manifest.json")
    stated = json.loads(manifest.read_text())
    second = first.with_name("second.dat")
    second.write_bytes(delimited("transactions", postings({"txn_id": "T9"}, {"txn_id": "T2"})))
    content = second.read_bytes()
    stated["files"].append({"name": second.name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()})
    manifest.write_text(json.dumps(stated | {"row_count": 5, "control_sums": {"amount": "57.00"}}))
    (outcome,) = bank.ingest("transactions")
    assert (outcome.rows_loaded, outcome.files) == (4, (first.name, second.name))
    assert bank.read(outcome.lake_file, "txn_id, _file, _row")[2:] == [("T3", first.name, 4), ("T9", second.name, 2)]
    assert bank.read(outcome.quarantine_file, "file, row, reason") == [(second.name, 3, "conflicting_key")]


@pytest.mark.faults("same_file", store="lake")
def test_the_same_files_give_the_same_outcomes(bank: Bank, next_bank: Callable[[], Bank]) -> None:
    other = next_bank()
    for place in (bank, other):
        place.deliver("transactions", postings({}, {"amount": "x"}))
        place.deliver("customers", [CUSTOMER])
        place.ingest("transactions")
        place.ingest("customers")
    for outcome in read_outcomes(bank.settings.lake):
        name = f"deliveries/{outcome.feed}/{DAY}.v1-{outcome.source_hash[:12]}.json"
        assert (bank.settings.lake / name).read_bytes() == (other.settings.lake / name).read_bytes()
    assert bank.files() == other.files()


@pytest.mark.parametrize("told", ["", "900.10"])
@pytest.mark.faults("columns", store="lake")
def test_a_column_that_may_be_absent_is_null_where_it_is(bank: Bank, told: str) -> None:
    loan = {"loan_no": "L1", "business_date": DAY, "customer_no": "C1", "account_no": "A1", "product_code": "LN"}
    loan |= {"granted_date": DAY, "principal": "1000", "term_months": "10", "status": "running"}
    content = delimited("loans", [loan | {"outstanding_amount": told}])
    if not told:  # as the files were before the contract had the column
        content = b"".join(line.rpartition(b"|")[0] + b"\n" for line in content.splitlines())
    bank.deliver("loans", content, rows=1, sums={})
    (outcome,) = bank.ingest("loans")
    assert (outcome.outcome, outcome.rows_loaded) == ("loaded", 1)
    loaded = duckdb.sql(
        f"select principal, outstanding_amount from '{bank.settings.lake / outcome.lake_file}'"
    ).fetchall()
    assert loaded == [(Decimal(1000), Decimal(told) if told else None)]
