"""A year of a few customers, and three days on top, with rows that come late, twice or corrected.

Each customer is there for something: Wang (1) for figures that can be worked out by hand, Li (2) for corrections and
for a second record (2b) that is found to be hers, Zhao (3) leaves, Qian (5) closes his account and is absorbed by
Sun (6), Zhou (7) closes one account and opens another, Wu (8) is new, pays for utilities, and leaves without
anybody hearing of it for weeks, the workshop (9) is an enterprise.
"""

from typing import Any

from tests.dbt.bank import Bank
from tests.dbt.rows import balance, posting

INITIAL_DATE = "2024-11-30"
FIRST_DATE = "2024-01-01"
MONTH_ENDS = ["2024-07-31", "2024-08-31", "2024-09-30", "2024-10-31", "2024-11-30"]
DAYS = (("2024-12-01", "2024-12-01"), ("2024-12-02", "2024-11-20"), ("2024-12-03", "2024-12-01"))  # date, from date


def deliver_initial(bank: Bank) -> None:
    """Everything up to the end of November, a delivery per feed and month."""
    bank.deliver(
        "products",
        "2024-11",
        [
            dict(product_code="CUR", product_name="Current", product_family="current"),
            dict(product_code="FD", product_name="Fixed", product_family="fixed_deposit"),
            dict(product_code="FND", product_name="Fund", product_family="fund"),
        ],
        known="1900-01-01",
    )
    bank.deliver(
        "rm_assignments",
        "2024-11",
        [dict(customer_no="1", rm_id="R1", valid_from="2024-08-01")],
        known="1900-01-01",
    )
    _monthly(bank, "customers", [_customer(number) for number in ("1", "2", "2b", "3", "5", "6", "7")])
    _monthly(bank, "customers", [_customer("8", opened_date="2024-06-15")], version=3)
    _monthly(bank, "customers", [_customer("9", party_type="E", monthly_income=90000)], version=2)
    _monthly(bank, "accounts", _accounts())
    _monthly(bank, "transactions", _transactions())
    _monthly(bank, "balances", _balances())
    _monthly(bank, "holdings", _holdings())
    _monthly(bank, "app_events", _app_events())
    _monthly(
        bank,
        "branch_visits",
        [dict(ticket_id="v1", business_date="2024-08-25", customer_no="1", service_type="wealth")],
    )
    _monthly(
        bank,
        "rm_contacts",
        [
            dict(
                contact_id="c1", business_date="2024-08-26", customer_no="1", purpose="retention", outcome="not_reached"
            ),
            dict(contact_id="c2", business_date="2024-07-26", customer_no="1", purpose="sales", outcome="reached"),
        ],
    )
    _monthly(bank, "complaints", [dict(complaint_id="k1", business_date="2024-04-01", customer_no="1")])
    _monthly(
        bank,
        "campaign_touches",
        [
            dict(touch_id="t1", business_date="2024-08-01", customer_no="1", arm="treatment"),
            dict(touch_id="t2", business_date="2024-08-01", customer_no="2", arm="control"),
        ],
    )
    _monthly(bank, "campaign_responses", [dict(response_id="r1", business_date="2024-08-02", touch_id="t1")])
    _monthly(
        bank,
        "mall_orders",
        [dict(order_id="o1", business_date="2024-08-03", user_id="u1", status="paid")],
    )
    _monthly(
        bank,
        "cards",
        [
            dict(card_id="d1", business_date="2024-01-01", customer_no="1", card_type="credit", status="active"),
            dict(card_id="d2", business_date="2024-01-01", customer_no="1", card_type="credit", status="closed"),
        ],
    )
    loan = dict(granted_date="2024-01-01", term_months=24, status="running", guarantor_customer_no="2")
    _monthly(
        bank,
        "loans",
        [
            dict(loan_no="l1", business_date="2024-01-01", customer_no="1", instalment=2000, **loan),
            dict(loan_no="l9", business_date="2024-01-01", customer_no="9", instalment=3000, **loan),
        ],
    )
    repayment = dict(repayment_id="p1", loan_no="l1", due_date="2024-07-20", due_amount=2000)
    _monthly(
        bank,
        "loan_repayments",
        [
            dict(business_date="2024-07-20", paid_amount=0, days_past_due=0, **repayment),
            dict(business_date="2024-08-04", paid_amount=0, days_past_due=15, **repayment),
            dict(business_date="2024-09-01", paid_amount=2000, days_past_due=0, paid_date="2024-09-01", **repayment),
        ],
    )
    _monthly(
        bank,
        "wallet_bindings",
        [dict(binding_id="w1", business_date="2024-02-01", account_no="A1")],
    )
    never_ends = {"valid_to": None, "match_weight": None}
    bank.insert(
        "raw.customer_xref",
        *(
            dict(
                party_key=f"cif:{number}",
                customer_key=f"cif:{number}",
                rule="self",
                valid_from="2024-01-01",
                **never_ends,
            )
            for number in ("1", "2", "3", "6", "7", "8", "9")
        ),
        dict(party_key="online:u1", customer_key="cif:1", rule="card", valid_from="2024-01-05", **never_ends),
        *_absorbed("2b", by="2", on="2024-12-02"),
        *_absorbed("5", by="6", on="2024-11-01"),
    )


def deliver_day(bank: Bank, day: str) -> None:
    """One of ``DAYS``."""
    if day == "2024-12-01":
        bank.deliver("transactions", day, [posting("x1", "A2", day, 100, txn_type="wallet", channel="wallet")])
        bank.deliver("balances", day, [balance("A2", day, 900)])
        bank.deliver("app_events", day, [_event("e9", day, "login")])
    if day == "2024-12-02":
        late = posting("x2", "A2", "2024-11-20", 50, txn_type="wallet", channel="wallet")
        told_again = posting("b6", "A1", "2024-11-28", 77, txn_type="cash", channel="counter")
        bank.deliver("transactions", day, [late, told_again])
        bank.deliver("balances", day, [balance("A2", "2024-11-20", 800), balance("A1", day, 150000)])
        bank.deliver("accounts", day, [_account("A8", "8", "2024-11-15", status="closed")])
    if day == "2024-12-03":
        corrected = posting("x1", "A2", "2024-12-01", 70, txn_type="wallet", channel="wallet")
        bank.supersede("transactions", "2024-12-01", 1, on=day)
        bank.deliver("transactions", "2024-12-01", [corrected], version=2, known=day)
        bank.supersede("balances", "2024-12-01", 1, on=day)
        bank.deliver("balances", "2024-12-01", [balance("A2", "2024-12-01", 930)], version=2, known=day)


def _monthly(bank: Bank, feed: str, rows: list[dict[str, Any]], version: int = 1) -> None:
    months: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        months.setdefault(row["business_date"][:7], []).append(row)
    for month, own in months.items():
        bank.deliver(feed, month, own, version=version)


def _customer(number: str, **given: Any) -> dict[str, Any]:
    defaults = dict(
        party_type="P", birth_date="1984-08-31", monthly_income=8000, risk_rating="R3", opened_date="2024-01-01"
    )
    return dict(customer_no=number, business_date="2024-01-01", is_marketing_opt_out=False, **{**defaults, **given})


def _account(account_no: str, owner: str, day: str, **given: Any) -> dict[str, Any]:
    defaults = dict(product_code="CUR", opened_date="2024-01-01", status="open", currency="CNY")
    return dict(account_no=account_no, customer_no=owner, business_date=day, **{**defaults, **given})


def _accounts() -> list[dict[str, Any]]:
    opened = [_account(f"A{number}", number, "2024-01-01") for number in ("1", "2", "2b", "3", "5", "6", "7", "8", "9")]
    return [
        *opened,
        _account("F1", "1", "2024-06-01", product_code="FD", maturity_date="2024-09-20", opened_date="2024-06-01"),
        _account("F1", "1", "2024-09-20", product_code="FD", maturity_date="2024-09-20", status="closed"),
        _account("A3", "3", "2024-10-15", status="closed", closed_date="2024-10-15"),
        _account("A5", "5", "2024-10-01", status="closed", closed_date="2024-10-01"),
        _account("A7", "7", "2024-10-01", status="closed", closed_date="2024-10-01"),
        _account("A7a", "7", "2024-01-20", status="closed", closed_date="2024-01-20"),
        _account("A7b", "7", "2024-11-10", opened_date="2024-11-10"),
    ]


def _transactions() -> list[dict[str, Any]]:
    return [
        posting("b0", "A1", "2024-01-01", 10000, direction="C", channel="batch", txn_type="brought_forward"),
        posting("b1", "A1", "2024-05-10", 3000, direction="C", channel="batch", txn_type="salary"),
        posting("b2", "A1", "2024-08-10", 6000, direction="C", channel="batch", txn_type="salary"),
        posting("b3", "A1", "2024-07-01", 200, txn_type="cash", channel="counter"),
        posting("b4", "A1", "2024-08-20", 300, txn_type="wallet", channel="wallet"),
        posting("b5", "A1", "2024-08-21", 500, counterparty_bank="工商银行"),
        posting("b7", "A1", "2024-08-22", 1000, counterparty_bank="本行"),
        posting("b6", "A1", "2024-11-28", 77, txn_type="cash", channel="counter"),
        posting("b8", "A2", "2024-08-05", 55000, counterparty_bank="建设银行"),
        posting("b9", "A3", "2024-10-14", 400, counterparty_bank="建设银行"),
        posting("c1", "A8", "2024-07-20", 900, direction="C", channel="batch", counterparty_bank="建设银行"),
        posting("c2", "A8", "2024-08-21", 60, direction="C", channel="batch", txn_type="interest"),
        posting("c3", "A8", "2024-07-25", 80, channel="batch", txn_type="utility"),
        posting("c4", "A8", "2024-08-25", 80, channel="batch", txn_type="utility"),
        posting("c5", "A8", "2024-08-26", 70, channel="pos", txn_type="purchase"),
    ]


def _balances() -> list[dict[str, Any]]:
    return [
        balance("A1", "2024-01-01", 10000),
        balance("A1", "2024-07-03", 40000),
        balance("A1", "2024-09-05", 200000),
        balance("F1", "2024-06-01", 0),
        balance("A2", "2024-01-01", 60000),
        balance("A2", "2024-08-05", 5000),
        balance("A2b", "2024-01-01", 40),
        balance("A3", "2024-01-01", 60000),
        balance("A3", "2024-10-15", 0),
        balance("A9", "2024-01-01", 300000),
    ]


def _holdings() -> list[dict[str, Any]]:
    holding = dict(
        holding_id="h1", customer_no="1", product_code="FND", start_date="2024-08-02", maturity_date="2024-11-01"
    )
    return [
        dict(business_date="2024-08-02", market_value=9000, **holding),
        dict(business_date="2024-10-31", market_value=0, **holding),
    ]


def _app_events() -> list[dict[str, Any]]:
    return [
        _event("e1", "2024-04-15", "login"),
        _event("e2", "2024-07-15", "login"),
        _event("e3", "2024-08-30", "login"),
        _event("e4", "2024-08-30", "close_account_view"),
        _event("e5", "2024-05-30", "transfer"),
        _event("e6", "2024-05-30", "balance"),
        _event("e7", "2024-08-30", "balance"),
    ]


def _event(event_id: str, day: str, name: str) -> dict[str, Any]:
    return dict(event_id=event_id, business_date=day, user_id="u1", platform="app", event_name=name)


def _absorbed(number: str, by: str, on: str) -> list[dict[str, Any]]:
    party = dict(party_key=f"cif:{number}", match_weight=None)
    return [
        dict(customer_key=f"cif:{number}", rule="self", valid_from="2024-01-01", valid_to=on, **party),
        dict(customer_key=f"cif:{by}", rule="id_no", valid_from=on, valid_to=None, **party),
    ]
