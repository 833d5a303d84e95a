"""Any CSV file as one delivery of a feed: each column of the contract is an SQL expression over the file's columns."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import duckdb

from lakehouse.adapters.landing import create_table, write_month
from lakehouse.contracts import load_feeds
from lakehouse.errors import Stop


def adapt(source: Path, feed: str, expressions: Mapping[str, str], month: date, out: Path) -> int:
    """Write the file as one initial load.

    Parameters
    ----------
    source
        CSV with a header row; every column is read as text, without spaces around it.
    feed
        Name of the contract.
    expressions
        Column of the contract -> DuckDB SQL. The business date is the month's first day if it is not given; other
        columns that are not given stay empty.
    month
        First day of the month that the delivery is for.
    out
        Landing folder.

    Returns
    -------
    int
        Rows written.

    Raises
    ------
    Stop
        If the feed has no contract, or a column is not in it, or a required one is not given.
    """
    if feed not in load_feeds():
        raise Stop(f"no contract under feeds/ for {feed}")
    contract = load_feeds()[feed]
    given = {contract.business_date_column: f"date '{month}'"} if contract.business_date_column else {}
    given |= expressions
    names = [column.name for column in contract.columns]
    if unknown := sorted(set(given) - set(names)):
        raise Stop(f"{feed} has no column {', '.join(unknown)}; it has {', '.join(names)}")
    if missing := [column.name for column in contract.columns if column.is_required and column.name not in given]:
        raise Stop(f"{feed} needs {', '.join(missing)}")
    with duckdb.connect() as con:
        create_table(con, contract)
        read, file = "read_csv($file, header = true, all_varchar = true)", {"file": str(source)}
        trimmed = ", ".join(
            f'nullif(trim("{name}"), \'\') as "{name.strip()}"' for name in con.sql(f"from {read}", params=file).columns
        )
        values = ", ".join(f'{sql} as "{name}"' for name, sql in given.items())
        try:
            con.execute(
                f"insert into {feed} by name select {values} from (select {trimmed} from {read}) as source", file
            )
        except duckdb.Error as error:
            raise Stop(f"{source}: {error}", "correct the expressions of --set") from error
        return write_month(con, contract, month, "+00:00", out)
