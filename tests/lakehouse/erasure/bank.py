"""A bank with one person whose every value is a text that nobody else has, and a search through every byte."""

import gzip
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from lakehouse.contracts import load_feeds
from lakehouse.settings import Settings
from tests.lakehouse.ingestion.bank import CUSTOMER, DAY, ORDER, Bank, postings

KEY, USER, LEAD = "C900", "U900", "L900"
NAME, ALIAS, ADDRESS, EMAIL = "司徒哨兵", "Sentinel Quux", "哨兵路 77 号", "Sentinel.Quux@example.org"
PHONE, DOCUMENT = "13900007777", "11010119770707773X"
ACCOUNT, CARD, SESSION = "6222770000000001", "4770000077777771", "session-77-of-a-device"
REMARK = "房租 司徒哨兵 七月"
SENTINELS = (NAME, ALIAS, ADDRESS, EMAIL, PHONE, DOCUMENT, ACCOUNT, CARD, SESSION, "Sentinel.Quux")
PERSON = {
    **CUSTOMER,
    "customer_no": KEY,
    "party_type": "P",
    "name": NAME,
    "birth_date": "1977-07-07",
    "id_type": "ID",
    "id_no": DOCUMENT,
    "phone": "139-0000-7777",
    "email": EMAIL,
    "address": ADDRESS,
    "city": "上海",
}
OTHER = {**CUSTOMER, "customer_no": "C1", "party_type": "P", "phone": "13800138001", "address": "人民路 1 号"}
ACCOUNT_ROW = {
    "account_no": ACCOUNT,
    "business_date": DAY,
    "customer_no": KEY,
    "product_code": "SAV",
    "branch_code": "B01",
    "currency": "CNY",
    "opened_date": "2020-03-01",
    "closed_date": "2026-01-04",
    "status": "closed",
}


def fill(bank: Bank) -> None:
    """Land what the person left in every kind of feed, beside what others did."""
    bank.deliver("customers", [PERSON, OTHER, {**PERSON, "birth_date": "1977-07-32"}])
    registration = {
        "user_id": USER, "business_date": DAY, "registered_at": f"{DAY} 08:00:00", "platform": "app", "name": ALIAS,
        "phone": PHONE, "email": EMAIL, "bound_card_no": CARD, "lead_id": LEAD, "is_marketing_opt_out": True,
    }  # fmt: skip
    bank.deliver("registrations", [registration])
    lead = {"lead_id": LEAD, "business_date": DAY, "captured_at": f"{DAY} 07:00:00", "source": "wechat", "name": NAME}
    bank.deliver("social_leads", [lead | {"phone": PHONE, "city": "上海"}])
    open_account = {"closed_date": "", "status": "open"}
    others_account = ACCOUNT_ROW | open_account | {"account_no": "6222000001", "customer_no": "C1"}
    bank.deliver("accounts", [ACCOUNT_ROW, others_account])
    balances = [{"account_no": number, "business_date": DAY, "balance": "7.50", "currency": "CNY"}
                for number in (ACCOUNT, "6222000001")]  # fmt: skip
    bank.deliver("balances", balances)
    card = {"card_id": "K1", "business_date": DAY, "card_no": CARD, "customer_no": KEY, "account_no": ACCOUNT}
    bank.deliver("cards", [card | {"card_type": "debit", "issued_date": "2020-03-01", "status": "active"}])
    bank.deliver(
        "transactions",
        postings(
            {"account_no": ACCOUNT, "remark": REMARK, "amount": "5.00"},
            {"counterparty_account": ACCOUNT, "remark": f"还 {NAME}", "direction": "C", "amount": "2.50"},
            {"remark": "自己"},
            {"account_no": ACCOUNT, "amount": "a lot", "remark": NAME},
        ),
        sums={"amount": "20.00"},
    )
    event = {"event_id": "E1", "business_date": DAY, "user_id": USER, "session_id": SESSION, "platform": "app"}
    event |= {"event_at": f"{DAY} 08:00:00", "event_name": "login"}
    bank.deliver("app_events", [event, {**event, "event_id": "E2", "user_id": "U1", "session_id": "another"}])
    bank.deliver("mall_orders", [{**ORDER, "user_id": USER}, {**ORDER, "order_id": "O2", "amount": 2.5}])


FEEDS = (
    "customers", "registrations", "social_leads", "accounts", "balances", "cards", "transactions", "app_events",
    "mall_orders",
)  # fmt: skip


def found(settings: Settings, texts: tuple[str, ...] = SENTINELS, folder: Path | None = None) -> list[str]:
    """``file: text`` of every text that any byte below the data folders still tells, packed or not, in any encoding."""
    root = folder or settings.lake.parent
    needles = {
        text: re.compile(b"|".join({re.escape(text.encode(code)) for code in ("utf-8", "gb18030")}
                                   | {re.escape(text.encode("unicode_escape"))}))
        for text in texts
    }  # fmt: skip
    return [
        f"{path.relative_to(root)}: {text}"
        for path in sorted(root.rglob("*"))
        if path.is_file()
        for content in _contents(path)
        for text, needle in needles.items()
        if needle.search(content)
    ]


def _contents(path: Path) -> Iterator[bytes]:
    """The bytes as they lie, and what they mean."""
    raw = path.read_bytes()
    yield raw
    if raw.startswith(b"\x1f\x8b"):
        yield gzip.decompress(raw)
    elif raw.startswith(b"PAR1"):
        yield _values(pq.read_table(path, partitioning=None))
    elif raw[8:12] == b"DUCK":
        with duckdb.connect(path, read_only=True) as con:
            tables = con.execute("select schema_name, table_name from duckdb_tables()").fetchall()
            for schema, table in tables:
                yield _values(con.execute(f'from "{schema}"."{table}"').to_arrow_table())
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as packed:
            for name in packed.namelist():
                yield packed.read(name)


def _values(table: pa.Table) -> bytes:
    columns = (column if pa.types.is_nested(column.type) else column.unique() for column in table.columns)
    return "\n".join(str(value) for values in columns for value in values.to_pylist() if value is not None).encode()


def columns(settings: Settings, feed: str, what: str) -> list[tuple]:
    """Rows of a feed in the lake."""
    rows = f"read_parquet('{settings.lake}/raw/{feed}/*/*.parquet', hive_partitioning = false)"
    return duckdb.sql(f"select {what} from {rows} order by all").fetchall()


PII = [(name, column) for name, feed in load_feeds().items() for column in feed.columns if column.is_pii]
