"""A bank without any online feed, whose books disagree in every way that there is."""

from datetime import date
from decimal import Decimal

import pytest

from tests.dbt.bank import Bank
from tests.dbt.rows import balance, posting

ACCOUNTS = (
    "ok",
    "quarantined",
    "unreadable",
    "refused",
    "missing",
    "blind",
    "late",
    "superseded",
    "rounded",
    "hole",
    "unexplained",
)
RECONCILIATION = {
    "tolerance_amount": 0.1,
    "known_holes": [{"date": "2025-01-20", "reason": "the bank's own file is cut"}],
}


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Bank:
    """Every account has 100 from 10 January; then the bank's balance moves without the posting."""
    bank = Bank(tmp_path_factory.mktemp("breaks"))
    bank.deliver("customers", "2025-01", [dict(customer_no="1", business_date="2025-01-01")])
    accounts = [dict(account_no=name, customer_no="1", business_date="2025-01-01") for name in ACCOUNTS]
    bank.deliver("accounts", "2025-01", accounts)
    bank.deliver("transactions", "2025-01", [posting(f"o-{name}", name, "2025-01-10", 100, "C") for name in ACCOUNTS])
    opening = [balance(name, "2025-01-10", 100.1 if name == "rounded" else 100) for name in ACCOUNTS]
    bank.deliver(
        "balances", "2025-01", [*opening, balance("hole", "2025-01-21", 120), balance("unexplained", "2025-01-15", 99)]
    )
    bank.deliver(
        "balances", "2025-02-01", [balance("quarantined", "2025-02-01", 130), balance("ok", "2025-02-01", 107)]
    )
    bank.deliver("transactions", "2025-02-01", [posting("ok-2", "ok", "2025-02-01", 7, "C")])
    reject = dict(feed="transactions", version=1, reason="invalid_type")
    bank.insert(
        "quarantine.rejects",
        dict(period="2025-02-01", account_no_token="token of quarantined", business_date="2025-02-01", **reject),
        dict(period="2025-02-02", **reject),
    )
    bank.deliver("transactions", "2025-02-02", [])
    bank.deliver("balances", "2025-02-02", [balance("unreadable", "2025-02-02", 90)])
    bank.record("transactions", "2025-02-03", outcome="rejected")
    bank.deliver("balances", "2025-02-03", [balance("refused", "2025-02-03", 90)])
    bank.deliver("transactions", "2025-02-04", [posting("s-1", "superseded", "2025-02-04", 5, "C")])
    bank.supersede("transactions", "2025-02-04", version=1, on="2025-02-05")
    bank.deliver("transactions", "2025-02-04", [], version=2, known="2025-02-05")
    bank.deliver(
        "balances", "2025-02-04", [balance("superseded", "2025-02-04", 105), balance("late", "2025-02-04", 100)]
    )
    bank.deliver("transactions", "2025-02-05", [posting("l-1", "late", "2025-02-04", 8, "C")])
    bank.deliver("balances", "2025-02-05", [balance("late", "2025-02-05", 108)])
    bank.deliver("balances", "2025-02-06", [balance("missing", "2025-02-06", 70)])
    bank.deliver("transactions", "2025-02-08", [])
    bank.deliver("balances", "2025-02-08", [balance("blind", "2025-02-08", 70)])
    bank.deliver("transactions", "2025-02-09", [])
    bank.deliver("balances", "2025-02-09", [balance("unexplained", "2025-02-09", 50)])
    bank.dbt("2025-02-09", "2025-01-01", reconciliation=RECONCILIATION)
    return bank


def test_every_break_has_its_explanation(bank: Bank) -> None:
    found = bank.rows(
        "select substring(account_no_token, 10), business_date, break_amount, explanation "
        "from build_marts.balance_breaks order by all"
    )
    assert [(account, str(day), float(amount), why) for account, day, amount, why in found] == [
        ("blind", "2025-02-08", -30.0, "missing delivery"),  # of the 7th, postings and balances alike
        ("hole", "2025-01-21", 20.0, "the bank's own file is cut"),
        ("late", "2025-02-04", -8.0, "late or superseded row"),
        ("late", "2025-02-05", 8.0, "late or superseded row"),
        ("missing", "2025-02-06", -30.0, "missing delivery"),
        ("quarantined", "2025-02-01", 30.0, "quarantined row"),
        ("refused", "2025-02-03", -10.0, "rejected delivery"),
        ("rounded", "2025-01-10", 0.1, "rounding"),
        ("superseded", "2025-02-04", 5.0, "late or superseded row"),
        ("unexplained", "2025-01-15", -1.0, None),
        ("unexplained", "2025-02-09", -49.0, "missing delivery"),
        ("unreadable", "2025-02-02", -10.0, "quarantined row"),
    ]


def test_feeds_that_never_came_leave_typed_empty_marts(bank: Bank) -> None:
    for mart in ("fct_online_events", "fct_branch_visits", "fct_contacts", "fct_holdings_daily", "dim_product"):
        assert bank.rows(f"select count(*) from build_marts.{mart}") == [(0,)], mart
    types = dict(bank.rows("select name, type from pragma_table_info('build_marts.fct_online_events')"))
    assert (types["event_at"], types["amount"]) == ("TIMESTAMP", "DECIMAL(18,2)")
    assert bank.rows("select sum(deposit_amount), min(as_of_date) from build_marts.customer_360_monthly") == [
        (Decimal("1120.10"), date(2025, 1, 31))  # 100 each, and what is explained by then
    ]


def test_assets_follow_the_bank_where_a_break_is_explained(bank: Bank) -> None:
    """The same as the bank's last balance, but for the 1 that nobody can explain."""
    found = bank.rows(
        """select asset_id, cast(value_amount as double) from build_intermediate.int_asset__values
           where as_of_date = '2025-02-09' and asset_class = 'deposit'"""
    )
    told = bank.rows(
        "select account_no_token, cast(max_by(balance, business_date) as double) from raw.balances group by all"
    )
    assert dict(found) == dict(told) | {"token of unexplained": 51}
