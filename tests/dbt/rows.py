"""Rows of feeds, as the made-up banks of these tests write them."""

from typing import Any


def posting(
    txn_id: str, account_no: str, day: str, amount: float, direction: str = "D", **given: Any
) -> dict[str, Any]:
    """A posting, by default a transfer out in the app."""
    defaults = {"channel": "mobile", "txn_type": "transfer"}
    row = {"txn_id": txn_id, "account_no": account_no, "business_date": day, "amount": amount, "direction": direction}
    return row | defaults | given


def balance(account_no: str, day: str, amount: float) -> dict[str, Any]:
    """The bank's own balance at the end of the day."""
    return {"account_no": account_no, "business_date": day, "balance": amount, "currency": "CNY"}
