"""Booking order from balances: each row must start from the balance at which the one before it ended."""

from typing import cast

import duckdb
import numpy as np

ROUNDING_CENTS = 10  # the bank rounds to 0.1


def add_booking_order(con: duckdb.DuckDBPyConnection) -> None:
    """Create the table ``booking`` (trans_id, position) from ``trans``."""
    columns = con.execute("""
        select trans_id, account_id, date - date '1970-01-01' as day, cast(balance * 100 as bigint) as balance,
               cast(case direction when 'C' then amount else -amount end * 100 as bigint) as signed
        from trans order by account_id, date, trans_id
    """).fetchnumpy()
    rows = cast("dict[str, np.ndarray]", columns)  # no column is an enum
    position = booking_order(rows["account_id"], rows["day"], rows["signed"], rows["balance"], ROUNDING_CENTS)
    con.register("ordered", {"trans_id": rows["trans_id"], "position": position})
    con.execute("create table booking as select * from ordered")


def booking_order(
    account: np.ndarray, day: np.ndarray, signed: np.ndarray, balance: np.ndarray, tolerance: int
) -> np.ndarray:
    """Order the rows of each account and day so that every row starts where the one before it ended.

    Parameters
    ----------
    account, day : ndarray of int, shape (n,)
        Sorted by account, day and a stable tie-breaker (the posting number).
    signed, balance : ndarray of int64, shape (n,)
        Posting, negative for money out, and the balance after it; in cents.
    tolerance : int
        What a balance may differ from the sum by rounding, in cents.

    Returns
    -------
    ndarray of int64, shape (n,)
        Position of each row within its account and day, from 0. Where no order joins all rows (a row is lacking),
        each next row is the one that starts nearest to where the last one ended.
    """
    position = np.zeros(len(account), dtype=np.int64)
    opening = balance - signed
    new_account = np.diff(account, prepend=account[:1] - 1) != 0
    starts = np.flatnonzero(new_account | (np.diff(day, prepend=day[:1] - 1) != 0))
    ends = np.append(starts, len(account))[1:]
    last = 0
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        if new_account[start]:
            last = 0
        if end - start > 1:
            rows = list(range(start, end))
            order = _joined(rows, last, opening, balance, tolerance) or _nearest(rows, last, opening, balance)
            position[order] = np.arange(end - start)
            last = balance[order[-1]]
        else:
            last = balance[start]
    return position


def _joined(rows: list[int], last: int, opening: np.ndarray, balance: np.ndarray, tolerance: int) -> list[int] | None:
    """An order of ``rows`` in which no gap exceeds the tolerance, the exact fits tried first; None if there is none."""
    if not rows:
        return []
    for row in sorted(rows, key=lambda row: abs(opening[row] - last)):
        if abs(opening[row] - last) > tolerance:
            return None
        rest = [other for other in rows if other != row]
        if (order := _joined(rest, balance[row], opening, balance, tolerance)) is not None:
            return [row, *order]
    return None


def _nearest(rows: list[int], last: int, opening: np.ndarray, balance: np.ndarray) -> list[int]:
    order, rest = [], list(rows)
    while rest:
        row = min(rest, key=lambda row: abs(opening[row] - last))
        order.append(row)
        rest.remove(row)
        last = balance[row]
    return order
