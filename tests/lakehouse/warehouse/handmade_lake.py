"""A handmade lake: deliveries with their outcome records, without landing files."""

import hashlib
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from lakehouse import lake
from lakehouse.catalog import REJECTS, feed_relation
from lakehouse.contracts import load_feeds
from lakehouse.lake import Outcome


def table(schema: pa.Schema, rows: Sequence[dict]) -> pa.Table:
    """Rows as Arrow; what a row does not say is null."""
    return pa.Table.from_pylist([{name: row.get(name) for name in schema.names} for row in rows], schema)


def write(path: Path, rows: pa.Table) -> Path:
    with lake.appearing(path) as temporary:
        pq.write_table(rows, temporary)
    return path


def deliver(
    root: Path,
    feed: str,
    cutoff: date,
    rows: Sequence[dict],
    version: int = 1,
    load: str = "daily",
    rejects: Sequence[dict] = (),
    outcome: str = "loaded",
    period: str | None = None,
) -> Outcome:
    """One delivery of ``feed``, known at ``cutoff``."""
    contract = load_feeds()[feed]
    period = period or (f"{cutoff:%Y-%m}" if load == "initial" else str(cutoff))
    source_hash = hashlib.sha256(repr((feed, period, version, rows)).encode()).hexdigest()
    name = f"{feed}/period={period}/v{version}-{source_hash[:12]}.parquet"
    dates = [row[contract.business_date_column] for row in rows] if contract.business_date_column else []
    if outcome != "rejected":
        known = [
            {"_file": f"{feed}_{period}_v{version}.dat", "_row": line, "_known_date": cutoff, **row}
            for line, row in enumerate(rows, start=2)
        ]
        write(root / "raw" / name, table(feed_relation(contract).arrow_schema, known))
    if rejects:
        write(root / "quarantine" / name, table(REJECTS.arrow_schema, rejects))
    record = Outcome(
        feed=feed,
        channel=contract.channel,
        period=period,
        version=version,
        load=load,
        source_hash=source_hash,
        cutoff_date=cutoff,
        outcome=outcome,
        reason="control sum of amount disagrees" if outcome == "rejected" else None,
        rows_delivered=len(rows) + len(rejects),
        rows_loaded=0 if outcome == "rejected" else len(rows),
        rows_quarantined=len(rejects),
        min_business_date=min(dates, default=None),
        max_business_date=max(dates, default=None),
        late_rows=0,
        lake_file=None if outcome == "rejected" else f"raw/{name}",
        quarantine_file=f"quarantine/{name}" if rejects else None,
        files=(f"{feed}_{period}_v{version}.dat",),
    )
    lake.write_outcome(root, record)
    return record


def posting(number: int, day: date, amount: str = "10.00", account: int | None = None) -> dict:
    """A row of ``transactions``."""
    account_no = f"A{number % 7 if account is None else account}"
    return {
        "txn_id": f"T{number:06d}",
        "account_no": account_no,
        "account_no_token": hashlib.sha256(account_no.encode()).hexdigest(),
        "business_date": day,
        "txn_at": datetime(day.year, day.month, day.day, 3, 4, 5, 123456),
        "amount": Decimal(amount),
        "direction": "C",
        "channel": "mobile",
        "txn_type": "transfer",
        "counterparty_account": "6222 0000",
        "counterparty_account_token": hashlib.sha256(str(number).encode()).hexdigest(),
        "remark": 'o\'clock "quoted" 工资 | \\N \t tab\nnew line',
    }
