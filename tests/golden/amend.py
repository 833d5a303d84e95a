"""What happens in a bank: a row that comes late, a file that is delivered again, a posting that is told twice."""

import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pandas as pd

from lakehouse.contracts import load_feeds
from tests.golden import landed


def amend(landing: Path, days: Sequence[date]) -> None:
    """Change the deliveries of the last two days.

    - On the second day a posting of five weeks before arrives.
    - The first day tells a posting of the month before once more.
    - The first day's postings are delivered again, known on the second day, one of them with a cent more.
    - The second day tells the balances that follow from all this.
    - A customer moves on the first day; of another, an older move becomes known on the second.
    """
    first, second = days
    con = landed.load(landing, second, token_secret="any secret, of 32 characters at least")
    postings = _day(landing, "transactions", first)
    corrected = postings.iloc[0]
    month = f"{first - timedelta(days=1):%Y-%m}"
    repeated = _read(landing / "transactions" / f"transactions_{month}_v1.dat", "transactions")
    late_date, late_amount, cent = first - timedelta(days=35), Decimal("100.00"), Decimal("0.01")
    late = (
        _day(landing, "transactions", second)
        .iloc[[0]]
        .assign(
            txn_id="late",
            business_date=str(late_date),
            txn_at=f"{late_date} 04:00:00",
            amount=str(late_amount),
            direction="C",
            txn_type="transfer",
        )
    )

    def with_a_cent_more(rows: pd.DataFrame) -> pd.DataFrame:
        amount = rows["amount"].mask(rows["txn_id"] == corrected["txn_id"], str(Decimal(corrected["amount"]) + cent))
        return rows.assign(amount=amount)

    _deliver(landing, "transactions", second, _adding(late))
    _deliver(landing, "transactions", first, _adding(repeated.iloc[[-1]]))
    _deliver(landing, "transactions", first, with_a_cent_more, version=2, known=second)
    sign = 1 if corrected["direction"] == "C" else -1
    for account_no, since, delta in (
        (late["account_no"].item(), late_date, late_amount),
        (corrected["account_no"], first, sign * cent),
    ):
        _deliver(landing, "balances", second, _adding(_balances_since(con, account_no, since, delta)))
    persons = con.execute("select distinct customer_no from customers where party_type = 'P' order by 1 limit 2")
    for (customer_no,), day, moved in zip(
        persons.fetchall(), (first, second), (first, first - timedelta(days=20)), strict=True
    ):
        record = _last_record(landing, customer_no).assign(business_date=str(moved), city="成都市")
        _deliver(landing, "customers", day, _adding(record))


def _adding(new: pd.DataFrame) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Add rows, in place of those with the same number and day."""
    key = [new.columns[0], "business_date"]
    return lambda rows: pd.concat([rows, new[rows.columns]]).drop_duplicates(key, keep="last")


def _balances_since(con: duckdb.DuckDBPyConnection, account_no: str, since: date, delta: Decimal) -> pd.DataFrame:
    """The account's end-of-day balances from ``since`` on, each ``delta`` higher, and one for that day itself."""
    return con.execute(
        """
        with known as (from balances where account_no = $account_no),
        days as (select business_date from known where business_date > $since union select cast($since as date))
        select
            $account_no as account_no,
            cast(days.business_date as varchar) as business_date,
            cast(coalesce(known.balance, 0) + cast($delta as decimal(18, 2)) as varchar) as balance,
            (select any_value(currency) from balances) as currency
        from days asof left join known on days.business_date >= known.business_date
        """,
        {"account_no": account_no, "since": str(since), "delta": str(delta)},
    ).df()


def _last_record(landing: Path, customer_no: str) -> pd.DataFrame:
    files = [_read(path, "customers") for path in sorted((landing / "customers").glob("*.dat"))]
    records = pd.concat(files).query("customer_no == @customer_no")
    return records.sort_values("business_date").iloc[[-1]]


def _day(landing: Path, feed: str, day: date) -> pd.DataFrame:
    return _read(landing / feed / f"{feed}_{day}_v1.dat", feed)


def _read(path: Path, feed: str) -> pd.DataFrame:
    contract = load_feeds()[feed]
    return pd.read_csv(path, sep=contract.delimiter, encoding=contract.encoding, dtype=str, keep_default_na=False)


def _deliver(
    landing: Path,
    feed: str,
    day: date,
    change: Callable[[pd.DataFrame], pd.DataFrame],
    version: int = 1,
    known: date | None = None,
) -> None:
    """Write a day's delivery with its rows changed: in place, or as a higher ``version`` cut off on ``known``."""
    contract, folder = load_feeds()[feed], landing / feed
    rows = change(_day(landing, feed, day))
    target = folder / f"{feed}_{day}_v{version}.dat"
    rows.to_csv(target, sep=contract.delimiter, encoding=contract.encoding, index=False, lineterminator="\n")
    content = target.read_bytes()
    manifest = json.loads((folder / f"{feed}_{day}_v1.manifest.json").read_text())
    manifest |= {
        "version": version,
        "cutoff_at": str(known or day) + manifest["cutoff_at"][10:],
        "row_count": len(rows),
        "control_sums": {name: str(sum(map(Decimal, rows[name]), Decimal("0.00"))) for name in contract.control_sums},
        "files": [{"name": target.name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}],
    }
    (folder / f"{feed}_{day}_v{version}.manifest.json").write_text(json.dumps(manifest))
