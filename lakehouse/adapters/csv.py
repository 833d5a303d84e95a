"""Any CSV file as one delivery of a feed: each column of the contract is an SQL expression over the file's columns."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa

from lakehouse.adapters.delimited import Delimited, counted, describe, named_lines, read_delimited
from lakehouse.adapters.landing import create_table, write_month
from lakehouse.contracts import Column, Feed, load_feeds
from lakehouse.errors import Stop
from lakehouse.sql import identifier, only_row

LINE = "_line"  # column of the source: where a row begins in the file
MOST_MONTHS = 6  # that are named


@dataclass(frozen=True)
class Adapted:
    """What became of a file: rows written, and what the file holds besides."""

    rows: int
    notes: tuple[str, ...]


def adapt(
    source: Path,
    feed: str,
    expressions: Mapping[str, str],
    month: date,
    out: Path,
    delimiter: str | None = None,
    encoding: str | None = None,
) -> Adapted:
    """Write the file as one initial load.

    Parameters
    ----------
    source
        CSV with a header row; every column is read as text, without blanks around it, null where it is empty.
    feed
        Name of the contract.
    expressions
        Column of the contract -> DuckDB SQL. The business date is the month's first day if it is not given; other
        columns that are not given stay empty.
    month
        First day of the month that the delivery is for; rows of other months are counted in the notes.
    out
        Landing folder.
    delimiter, encoding
        Of the file, where they do not show; see `read_delimited`.

    Raises
    ------
    Stop
        If the feed has no contract, or a column is not in it, or a required one is not given; if a line of the file
        does not fit the header, or a value its column.
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
    read = read_delimited(source, delimiter, encoding)
    with duckdb.connect() as con:
        create_table(con, contract)
        _register(con, source, read)
        _insert(con, source, contract, given)
        notes = [describe(read), *read.notes]
        for column in contract.columns:
            if column.name in given:
                notes += _rounded(con, column, given[column.name])
        notes += _of_other_months(con, source, contract, given, month)
        return Adapted(write_month(con, contract, month, "+00:00", out), tuple(notes))


def _register(con: duckdb.DuckDBPyConnection, source: Path, read: Delimited) -> None:
    names = [name.lower() for name in read.table.column_names]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise Stop(f"{source}: SQL cannot tell columns apart that differ in case only: {', '.join(twice)}")
    con.register("source", read.table.append_column(LINE, pa.array(read.lines)))


def _insert(con: duckdb.DuckDBPyConnection, source: Path, contract: Feed, given: Mapping[str, str]) -> None:
    values = ", ".join(f"{sql} as {identifier(name)}" for name, sql in given.items())
    try:
        con.execute(f"insert into {contract.name} by name select {values} from source")
    except duckdb.ConversionException as error:
        raise _misfit(con, source, contract, given) from error
    except duckdb.Error as error:
        if isinstance(error, (duckdb.BinderException, duckdb.ParserException, duckdb.CatalogException)):
            raise Stop(f"{source}: {error}", "correct the expressions of --set") from error
        raise _misfit(con, source, contract, given) from error


def _misfit(con: duckdb.DuckDBPyConnection, source: Path, contract: Feed, given: Mapping[str, str]) -> Stop:
    """The column, and the first line, whose value does not become the contract's type; the value stays unsaid."""
    count = only_row(con.execute("select count(*) from source"))[0]
    for column in contract.columns:
        sql = given.get(column.name)
        if sql is None or _casts(con, column, sql, count):
            continue
        fits, fails = 0, count  # so many first rows fit, so many do not
        while fails - fits > 1:
            middle = (fits + fails) // 2
            fits, fails = (middle, fails) if _casts(con, column, sql, middle) else (fits, middle)
        (line,) = only_row(con.execute(f"select {LINE} from source order by {LINE} limit 1 offset {fails - 1}"))
        return Stop(
            f"{source}: line {line}: {column.name} is not of type {column.type}",
            f"correct the line or --set {column.name}, for instance with try_cast",
        )
    return Stop(f"{source}: the rows do not fit {contract.name}", "correct the expressions of --set")


def _casts(con: duckdb.DuckDBPyConnection, column: Column, sql: str, rows: int) -> bool:
    try:
        con.execute(
            f"select count(cast(({sql}) as {column.type})) from (from source order by {LINE} limit {rows}) as source"
        ).fetchall()
    except duckdb.Error:
        return False
    return True


def _rounded(con: duckdb.DuckDBPyConnection, column: Column, sql: str) -> list[str]:
    """That values have more decimals than the contract keeps."""
    if not column.type.startswith("decimal"):
        return []
    places = column.type.rpartition(",")[2].rstrip(")")
    lines = [
        line
        for (line,) in con.execute(
            f"select {LINE} from source where try_cast(({sql}) as decimal(38, 12)) <> ({sql})::{column.type} "
            f"order by {LINE}"
        ).fetchall()
    ]
    if not lines:
        return []
    has = "has" if len(lines) == 1 else "have"
    how_many = f"{counted(len(lines), 'value')} {has} more than {places} decimals"
    return [f"{column.name}: {how_many} and {'is' if len(lines) == 1 else 'are'} rounded: {named_lines(lines)}"]


def _of_other_months(
    con: duckdb.DuckDBPyConnection, source: Path, contract: Feed, given: Mapping[str, str], month: date
) -> list[str]:
    """Rows that the delivery leaves out, since their business date is in another month, by month."""
    column = contract.business_date_column
    if contract.is_snapshot or column is None:
        return []
    moment = f"try_cast(({given[column]}) as timestamp)"
    found = con.execute(
        f"select strftime({moment}, '%Y-%m') as month, count(*), min({LINE}) from source group by 1 order by 1"
    ).fetchall()
    if undated := next((part for part in found if part[0] is None), None):
        _, count, line = undated
        lacking = f"{counted(count, 'row')} without {column}, the first in line {line}"
        raise Stop(f"{source}: {lacking}", "give every row one")
    others = [part for part in found if part[0] != f"{month:%Y-%m}"]
    if not others:
        return []
    shown = ", ".join(f"{name} {count:,} (from line {line})" for name, count, line in others[:MOST_MONTHS])
    more = f" and {counted(len(others) - MOST_MONTHS, 'month')} more" if len(others) > MOST_MONTHS else ""
    rows = counted(sum(count for _, count, _ in others), "row")
    return [f"{rows} of other months, not in this delivery: {shown}{more}; adapt each month with --month"]
