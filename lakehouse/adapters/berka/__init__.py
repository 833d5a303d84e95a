"""The PKDD'99 Berka bank ("Financial"): its published files as deliveries of our branch and reference feeds.

What each field becomes, and what the data lacks, is described in ``docs/BERKA.md``.
"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from lakehouse.adapters.berka.balance_chain import add_booking_order
from lakehouse.adapters.berka.source import MalformedSource, load
from lakehouse.adapters.landing import create_table, write_month
from lakehouse.contracts import load_feeds
from lakehouse.lake.running import part
from lakehouse.sql import only_row

__all__ = ["FEEDS", "MalformedSource", "Summary", "adapt", "write_loans"]

FEEDS = (
    "customers",
    "accounts",
    "transactions",
    "balances",
    "loans",
    "loan_repayments",
    "cards",
    "products",
    "branches",
)
UTC_OFFSET = "+01:00"  # Prague


@dataclass(frozen=True)
class Summary:
    """What was delivered."""

    deliveries: int
    rows: dict[str, int]  # by feed
    repeated_rows: int  # more than once in the source, value for value: delivered once
    last_business_date: date


def adapt(source: Path, out: Path) -> Summary:
    """Write the Berka bank's files as one initial load: a delivery for each feed and month.

    Parameters
    ----------
    source
        Folder with ``account``, ``client``, ``disp``, ``order``, ``loan``, ``card``, ``district`` and one or more
        ``trans*`` files (``.asc`` or ``.asc.gz``) and, optionally, a folder ``feup`` with ``trans_*.csv`` and
        ``transactions_df.csv`` (or ``.gz``) in English codes.
    out
        Landing folder. Equal sources give equal files.

    Raises
    ------
    MalformedSource
        If a file is lacking or holds what the published data cannot; raised before anything is written.
    """
    contracts = load_feeds()
    feeds = [contracts[name] for name in FEEDS]
    part("the files are read")
    con = duckdb.connect()
    repeated_rows = load(con, Path(source))
    add_booking_order(con)
    for feed in feeds:
        create_table(con, feed)
    con.execute(Path(__file__).with_name("mapping.sql").read_text())
    months, last_business_date = _calendar(con)
    rows, deliveries = dict.fromkeys(FEEDS, 0), 0
    for feed in feeds:
        for month in months[-1:] if feed.is_snapshot else months:
            part(feed.name, deliveries, len(feeds) * len(months))
            rows[feed.name] += write_month(con, feed, month, UTC_OFFSET, Path(out))
            deliveries += 1
    return Summary(deliveries, rows, repeated_rows, last_business_date)


def write_loans(source: Path, out: Path) -> int:
    """Write one row per loan, with what was known before its grant and whether it went bad, as Parquet.

    Parameters
    ----------
    source
        As for `adapt`.
    out
        Parquet file.

    Returns
    -------
    int
        The number of loans.
    """
    con = duckdb.connect()
    load(con, Path(source))
    add_booking_order(con)
    loans = con.sql(Path(__file__).with_name("loan_features.sql").read_text())
    loans.write_parquet(str(out), compression="zstd")
    return only_row(con.execute("select count(*) from loan"))[0]


def _calendar(con: duckdb.DuckDBPyConnection) -> tuple[list[date], date]:
    """First days of all months from the first business date to the last, and the last day of the last month."""
    months = con.execute("""
        with dates as (
            select business_date from accounts
            union all select business_date from transactions
            union all select getvariable('status_date')
        ),
        bounds as (select date_trunc('month', min(business_date)) as first, max(business_date) as last from dates),
        months as (select unnest(generate_series(first, last, interval 1 month)) as month from bounds)
        select cast(month as date), last_day(month) from months
    """).fetchall()
    return [month for month, _ in months], months[-1][1]
