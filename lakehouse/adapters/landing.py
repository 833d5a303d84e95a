"""Rows as a delivery: the data file by the feed's contract and, last, the manifest that vouches for it."""

import gzip
import hashlib
from datetime import date
from pathlib import Path

import duckdb

from lakehouse.contracts import Feed
from lakehouse.lake import appearing, write_json
from lakehouse.lake.dates import month_end
from lakehouse.sql import only_row


def create_table(con: duckdb.DuckDBPyConnection, feed: Feed) -> None:
    """An empty table of the feed's name and columns, to be filled with ``insert ... by name``."""
    columns = ", ".join(f"{column.name} {column.type}" for column in feed.columns)
    con.execute(f"create table {feed.name} ({columns})")


def write_month(con: duckdb.DuckDBPyConnection, feed: Feed, month: date, utc_offset: str, out: Path) -> int:
    """Write one delivery of an initial load: the rows of one month, or a snapshot feed whole.

    Parameters
    ----------
    con
        Holds the rows in a table made by `create_table`.
    feed
        The feed; a file of JSON Lines is compressed.
    month
        First day of the month, the delivery's period. The cut-off is the end of its last day.
    utc_offset
        Of the bank, for the cut-off: ``+01:00``.
    out
        Landing folder.

    Returns
    -------
    int
        Rows written. Equal rows give equal bytes.
    """
    rows = f"from {feed.name}"
    if not feed.is_snapshot:
        rows += f" where date_trunc('month', {feed.business_date_column}) = date '{month:%Y-%m-%d}'"
    name = f"{feed.name}_{month:%Y-%m}_v1"
    is_delimited = feed.format == "delimited"
    target = out / feed.name / f"{name}.{'dat' if is_delimited else feed.format}"
    delimited = f"format csv, header, delimiter '{feed.delimiter}', quote '\"', nullstr ''"
    with appearing(target) as temporary:
        con.execute(
            f"copy (select * {rows} order by {', '.join((feed.business_date_column or '1', *feed.key))}) "
            f"to '{temporary}' ({delimited if is_delimited else 'format json'})"
        )
        content = temporary.read_bytes()
        content = content.decode().encode(feed.encoding) if is_delimited else gzip.compress(content, mtime=0)
        temporary.write_bytes(content)
    sums = [f"cast(coalesce(sum({column}), 0) as varchar)" for column in feed.control_sums]
    count, *totals = only_row(con.execute(f"select {', '.join(['count(*)', *sums])} {rows}"))
    manifest = {
        "feed": feed.name,
        "period": f"{month:%Y-%m}",
        "version": 1,
        "load": "initial",
        "cutoff_at": f"{month_end(month)}T23:59:59{utc_offset}",
        "row_count": count,
        "control_sums": dict(zip(feed.control_sums, totals, strict=True)),
        "files": [{"name": target.name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}],
    }
    write_json(out / feed.name / f"{name}.manifest.json", manifest)
    return count
