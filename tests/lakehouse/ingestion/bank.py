"""Deliveries as a bank would send them: real files in a landing folder, with the manifest that vouches for them."""

import csv
import gzip
import hashlib
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path

import duckdb

from lakehouse.contracts import load_feeds
from lakehouse.ingestion import ingest_feed
from lakehouse.lake import Outcome
from lakehouse.settings import Settings

DAY = "2026-01-05"
POSTING = {
    "txn_id": "T1",
    "account_no": "6222000001",
    "business_date": DAY,
    "txn_at": f"{DAY} 10:30:00",
    "amount": "12.50",
    "direction": "D",
    "channel": "mobile",
    "txn_type": "purchase",
    "counterparty_account": "",
    "counterparty_bank": "",
    "remark": "",
}
CUSTOMER = {
    "customer_no": "C1",
    "business_date": DAY,
    "party_type": "P",
    "name": "王小明",
    "home_branch_code": "B01",
    "opened_date": "2020-03-01",
}
ADJUSTMENT = {
    "adjustment_id": "A1",
    "business_date": DAY,
    "effective_date": DAY,
    "element": "marts.customer_360.deposit_amount",
    "branch_code": "B01",
    "amount": "-12.50",
    "reason": "counted twice at the merger of two branches",
    "evidence_reference": "FIN-2026-17",
    "prepared_by": "S0042",
    "approved_by": "S0043",
}
ORDER = {
    "order_id": "O1",
    "business_date": DAY,
    "user_id": "U1",
    "ordered_at": f"{DAY} 08:00:00",
    "category": "books",
    "amount": 12.5,
    "status": "paid",
}


def postings(*changes: dict[str, str]) -> list[dict[str, str]]:
    """One posting for each change, T1, T2, ... unless the change says otherwise."""
    return [{**POSTING, "txn_id": f"T{number}", **change} for number, change in enumerate(changes, 1)]


def delimited(feed: str, rows: Iterable[dict[str, str]]) -> bytes:
    contract = load_feeds()[feed]
    names = [column.name for column in contract.columns]
    text = io.StringIO()
    for fields in (names, *([row.get(name, "") for name in names] for row in rows)):
        # a bare CR at the end of a line would be the line's end; `csv` quotes it from Python 3.13 on
        quoting = csv.QUOTE_ALL if any("\r" in field for field in fields) else csv.QUOTE_MINIMAL
        csv.writer(text, delimiter=contract.delimiter, lineterminator="\n", quoting=quoting).writerow(fields)
    return text.getvalue().encode(contract.encoding)


def json_lines(*rows: object) -> bytes:
    """Objects become JSON; text stays as it is."""
    texts = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    return gzip.compress("".join(f"{text}\n" for text in texts).encode(), mtime=0)


@dataclass
class Bank:
    """The landing folder, and the lake that grows from it."""

    settings: Settings

    def deliver(
        self,
        feed: str,
        content: bytes | list[dict[str, str]],
        rows: int | None = None,
        sums: dict[str, str] | None = None,
        period: str = DAY,
        version: int = 1,
        load: str = "daily",
        cutoff_at: str | None = None,
        **manifest: object,
    ) -> Path:
        """Land one delivery and return its data file; the manifest fits unless keyword arguments say otherwise."""
        contract = load_feeds()[feed]
        if isinstance(content, list):
            rows = len(content) if rows is None else rows
            sums = {name: str(total(content, name)) for name in contract.control_sums} if sums is None else sums
            content = delimited(feed, content) if contract.format == "delimited" else json_lines(*content)
        folder = self.settings.landing / feed
        folder.mkdir(parents=True, exist_ok=True)
        stem = f"{feed}_{period}_v{version}"
        data = folder / f"{stem}.{'dat' if contract.format == 'delimited' else 'jsonl.gz'}"
        data.write_bytes(content)
        end = period if len(period) == 10 else f"{period}-28"
        stated = {
            "feed": feed,
            "period": period,
            "version": version,
            "load": load,
            "cutoff_at": cutoff_at or f"{end}T23:59:59+08:00",
            "row_count": rows,
            "control_sums": sums or {},
            "files": [{"name": data.name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}],
        }
        (folder / f"{stem}.manifest.json").write_text(json.dumps({**stated, **manifest}))
        return data

    def ingest(self, feed: str, day: str = "2026-12-31") -> list[Outcome]:
        return ingest_feed(self.settings, feed, date.fromisoformat(day))

    def read(self, file: str | None, columns: str = "*") -> list[tuple]:
        """Rows of a lake file, in the order in which they are stored."""
        path = self.settings.lake / file
        return duckdb.sql(
            f"select {columns} from read_parquet('{path}', hive_partitioning = false) order by file_row_number"
        ).fetchall()

    def quarantine(self, outcome: Outcome) -> list[tuple]:
        """(row, column, reason) of every quarantined row."""
        return self.read(outcome.quarantine_file, "row, column_name, reason") if outcome.quarantine_file else []

    def files(self) -> set[str]:
        """What is visible in the lake, but for the secret's fingerprint."""
        paths = (path.relative_to(self.settings.lake) for path in self.settings.lake.rglob("*"))
        return {
            str(path)
            for path in paths
            if not any(part.startswith(".") for part in path.parts)
            and path.name != "token.fingerprint"
            and (self.settings.lake / path).is_file()
        }


def total(rows: Iterable[dict[str, str]], column: str) -> Decimal:
    """Sum of what can be read."""

    def value(text: object) -> Decimal:
        try:
            number = Decimal(str(text))
        except InvalidOperation:
            return Decimal(0)
        return number if number.is_finite() else Decimal(0)

    return sum((value(row[column]) for row in rows), Decimal(0))
