"""Whatever text a field holds arrives in the lake as it was written, whichever way the file is read."""

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakehouse.contracts import Column, load_feeds
from lakehouse.ingestion import framing, rules
from lakehouse.ingestion.landing import measure_file
from tests.lakehouse.ingestion.bank import CUSTOMER, DAY, ORDER, POSTING, Bank, delimited, json_lines

# Everything but NUL, which Postgres cannot hold, and lone surrogates, which are no text; the awkward ones often.
text = st.text(
    st.one_of(
        st.sampled_from("\"|\n\r\\ ,'中文𠮷🙂éß\u2028\ufeff"), st.characters(exclude_characters="\0", codec="utf-8")
    )
)
some = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def loaded(bank: Bank, feed: str, columns: str) -> list[tuple]:
    (outcome,) = bank.ingest(feed)
    assert (outcome.outcome, outcome.reason, outcome.rows_quarantined) == ("loaded", None, 0)
    return bank.read(outcome.lake_file, columns)


@given(st.lists(st.tuples(text, text), max_size=8))
@some
def test_utf_8(next_bank: Callable[[], Bank], remarks: list[tuple[str, str]]) -> None:
    bank = next_bank()
    rows = [
        {**POSTING, "txn_id": f"T{number}", "counterparty_bank": bank_name, "remark": remark}
        for number, (bank_name, remark) in enumerate(remarks)
    ]
    bank.deliver("transactions", rows)
    assert loaded(bank, "transactions", "counterparty_bank, remark") == [(a or None, b or None) for a, b in remarks]


@given(st.lists(st.tuples(text, text), max_size=8))
@some
def test_gb18030(next_bank: Callable[[], Bank], names: list[tuple[str, str]]) -> None:
    """GB18030 covers Unicode: emoji are not outside of it."""
    bank = next_bank()
    rows = [
        {**CUSTOMER, "customer_no": f"C{number}", "name": name or "无名", "address": address}
        for number, (name, address) in enumerate(names)
    ]
    bank.deliver("customers", rows)
    assert loaded(bank, "customers", "name, address") == [(a or "无名", b or None) for a, b in names]


@given(st.lists(text, max_size=8), st.booleans())
@some
def test_json_lines(next_bank: Callable[[], Bank], categories: list[str], is_escaped: bool) -> None:
    bank = next_bank()
    rows = [{**ORDER, "order_id": f"O{number}", "category": text or "-"} for number, text in enumerate(categories)]
    lines = [json.dumps(row, ensure_ascii=is_escaped) for row in rows]
    bank.deliver("mall_orders", json_lines(*lines), rows=len(rows), sums={"amount": str(12.5 * len(rows))})
    assert loaded(bank, "mall_orders", "category") == [(text or "-",) for text in categories]


@given(st.lists(text, min_size=1, max_size=5))
@some
def test_a_bad_row_keeps_its_text(next_bank: Callable[[], Bank], remarks: list[str]) -> None:
    bank = next_bank()
    rows = [{**POSTING, "txn_id": f"T{number}", "remark": remark} for number, remark in enumerate(remarks)]
    rows[-1]["direction"] = "X"
    bank.deliver("transactions", rows)
    (outcome,) = bank.ingest("transactions")
    content = delimited("transactions", rows[-1:]).decode().split("\n", 1)[1]
    assert bank.read(outcome.quarantine_file, "raw_text") == [(content.removesuffix("\n"),)]
    assert bank.read(outcome.lake_file, "remark") == [(remark or None,) for remark in remarks[:-1]]


PIECES = [
    "",
    "a",
    " ",
    "\r",
    '"a"',
    '""',
    '"a',
    'a"',
    'a"b',
    '"a""b"',
    '"a"b',
    '"a\nb"',
    '"\n',
    ' "a"',
    '"a" ',
    '"""',
    '"|"',
]


@given(st.lists(st.lists(st.sampled_from(PIECES), min_size=2, max_size=2), max_size=4))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_the_fast_way_accepts_the_careful_way_reads_alike(tmp_path: Path, rows: list[list[str]]) -> None:
    column = Column("a", "varchar", "", False, False, False, None, (), None, None)
    feed = replace(load_feeds()["transactions"], columns=(column, replace(column, name="b")))
    path = tmp_path / "words.dat"
    path.write_bytes("\n".join(["a|b", *("|".join(row) for row in rows)]).encode())
    landed = [measure_file(path, "|")]
    if landed[0].needs_care:
        return
    try:
        fast = framing.numbered(landed, feed, 1).read_all()
    except (duckdb.Error, pa.ArrowInvalid):
        return
    if len(fast) != landed[0].lines - 1:
        return
    with duckdb.connect() as con:
        con.register("incoming", framing.framed(landed, feed, []))
        careful = con.execute(f"select _fault, _row, a, b from ({rules.fields(feed, 'incoming')})").fetchall()
    assert careful == [(None, row["_row"], row["a"], row["b"]) for row in fast.to_pylist()]


@pytest.mark.parametrize("is_quoted", [True, False])
def test_a_clean_file_of_many_blocks_is_numbered_in_order(bank: Bank, is_quoted: bool) -> None:
    """400,000 rows, some 40 MB: more than a batch for each thread."""
    quote = '"' if is_quoted else ""
    header = "|".join(column.name for column in load_feeds()["transactions"].columns)
    rows = (
        f"T{number}|A|{DAY}|{DAY} 10:00:00|1.00|D|{('mobile', 'web')[number % 2]}|fee|{number % 977}||{quote}r{quote}"
        for number in range(2, 400_002)
    )
    bank.deliver("transactions", "\n".join([header, *rows]).encode(), rows=400_000, sums={"amount": "400000"})
    (outcome,) = bank.ingest("transactions")
    path = bank.settings.lake / outcome.lake_file
    assert duckdb.sql(
        "select count(*), count(*) filter (where txn_id <> 'T' || _row), count(*) filter (where _row <> place + 2) "
        f"from (select txn_id, _row, file_row_number as place from read_parquet('{path}', hive_partitioning = false))"
    ).fetchall() == [(400_000, 0, 0)]


def test_gzip_members_are_one_stream(bank: Bank) -> None:
    members = b"".join(gzip.compress(json.dumps({**ORDER, "order_id": f"O{n}"}).encode() + b"\n") for n in range(3))
    bank.deliver("mall_orders", members, rows=3, sums={"amount": "37.5"})
    assert loaded(bank, "mall_orders", "order_id, _row") == [("O0", 1), ("O1", 2), ("O2", 3)]
