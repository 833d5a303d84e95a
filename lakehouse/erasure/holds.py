"""Why somebody cannot be erased yet: what is still open with the bank, and the bank's list of legal holds."""

import csv
from datetime import date
from pathlib import Path

import duckdb

from lakehouse import lake
from lakehouse.erasure.subject import Subject
from lakehouse.errors import Stop
from lakehouse.settings import Settings
from lakehouse.sql import literal

# what is open on the business date, by feed: the newest row of each thing counts
_OPEN = {
    "accounts": ("account_no_token", "closed_date is null", "an account that is not closed"),
    "loans": ("loan_no", "coalesce(outstanding_amount, 0) > 0", "a loan that is not paid back"),
    "holdings": ("holding_id", "coalesce(market_value, 0) > 0", "an investment that is not sold"),
}
_COLUMNS = ("party_key", "until", "basis")


def holds(settings: Settings, subject: Subject, business_date: date) -> list[str]:
    """Why the person is not to be erased on the business date; empty if nothing stands against it.

    Raises
    ------
    Stop
        If the list of legal holds cannot be read: a list that is not understood holds everybody.
    """
    return [*_open(settings, subject, business_date), *_listed(settings, subject, business_date)]


def _open(settings: Settings, subject: Subject, business_date: date) -> list[str]:
    owners = ", ".join(map(literal, subject.numbers["customer_no"]))
    if not owners:
        return []
    pin, found = lake.pin(settings.lake, business_date), []
    for feed, (key, is_open, what) in _OPEN.items():
        paths = [literal(str(item.outcome.rows_path(settings.lake))) for item in pin.of(feed)]
        if not paths:
            continue
        rows = f"read_parquet([{', '.join(paths)}], hive_partitioning = false, union_by_name = true)"
        newest = (
            f"select * from {rows} "
            f"qualify row_number() over (partition by {key} order by business_date desc, _known_date desc) = 1"
        )
        with duckdb.connect() as con:
            select = f"select count(*) from ({newest}) where customer_no in ({owners}) and {is_open}"
            count = con.execute(select).fetchall()
        if count[0][0]:
            found.append(f"{what} ({feed}, {count[0][0]})")
    return found


def read_holds(path: Path) -> list[tuple[int, str, date]]:
    """(row, party key, first day without the hold) of the list of legal holds; empty if there is none.

    Raises
    ------
    Stop
        If it cannot be read; the message names the row and the column.
    """
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != _COLUMNS:
            raise Stop(f"{path}: row 1: other columns than {', '.join(_COLUMNS)}", "write them, in this order")
        rows = list(enumerate(reader, 2))
    found = []
    for line, row in rows:
        try:
            found.append((line, row["party_key"], date.fromisoformat(row["until"]) if row["until"] else date.max))
        except (ValueError, TypeError):
            remedy = "write YYYY-MM-DD, or nothing for no end"
            raise Stop(f"{path}: row {line}: column until is no date", remedy) from None
    return found


def _listed(settings: Settings, subject: Subject, business_date: date) -> list[str]:
    return [
        f"a legal hold ({settings.legal_holds.name}, row {line})"
        for line, party, until in read_holds(settings.legal_holds)
        if party in subject.parties and business_date < until
    ]
