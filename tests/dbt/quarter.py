"""Three months of a small bank, and three days on top in which things go wrong as they do.

Wang (1) banks in the branch and online, Li (2) saves and comes to visit, Zhao (3) closes her only account, Chen is
online only. On the days: a late posting, a late customer row, a lead who turns out to be Li, a posting delivered twice,
a day re-delivered without its postings, and a changed balance.
"""

from tests.dbt.bank import Bank
from tests.dbt.rows import balance, posting

FIRST_DATE = "2025-01-01"
INITIAL_DATE = "2025-03-31"
DAYS = (("2025-04-01", "2025-04-01"), ("2025-04-02", "2025-03-20"), ("2025-04-03", "2025-04-01"))  # business, from date


def deliver_initial(bank: Bank) -> None:
    bank.deliver(
        "products",
        "2025-03",
        [
            dict(product_code="CUR", product_name="Current", product_family="current"),
            dict(product_code="FND", product_name="Fund", product_family="fund", risk_rating="PR3"),
        ],
        known="1900-01-01",
    )
    bank.deliver("branches", "2025-03", [dict(branch_code="B1", branch_name="Main")], known="1900-01-01")
    bank.deliver("holidays", "2025-03", [dict(holiday_date="2025-01-01", holiday_name="元旦", is_workday=False)])
    bank.deliver("market_rates", "2025-03", [dict(rate_date="2025-01-01", rate_code="mmf_yield", rate=0.0165)])
    cif = dict(party_type="P", name="n", home_branch_code="B1", opened_date="2025-01-01")
    bank.deliver(
        "customers",
        "2025-01",
        [
            dict(customer_no="1", business_date="2025-01-01", city="上海", birth_date="1980-02-03", id_no="X1", **cif),
            dict(customer_no="2", business_date="2025-01-01", city="北京", **cif),
            dict(customer_no="3", business_date="2025-01-02", city="北京", **cif),
            dict(customer_no="1", business_date="2025-01-20", city="杭州", birth_date="1980-02-03", id_no="X1", **cif),
        ],
    )
    account = dict(product_code="CUR", branch_code="B1", currency="CNY", opened_date="2025-01-01", status="open")
    bank.deliver(
        "accounts",
        "2025-01",
        [
            dict(account_no="A1", customer_no="1", business_date="2025-01-01", **account),
            dict(account_no="A1b", customer_no="1", authorised_customer_no="2", business_date="2025-01-01", **account),
            dict(account_no="A2", customer_no="2", authorised_customer_no="3", business_date="2025-01-01", **account),
            dict(account_no="A3", customer_no="3", business_date="2025-01-02", **account),
        ],
    )
    closed = account | dict(status="closed", closed_date="2025-02-10")
    bank.deliver("accounts", "2025-02", [dict(account_no="A3", customer_no="3", business_date="2025-02-10", **closed)])
    bank.deliver(
        "transactions",
        "2025-01",
        [
            posting("t01", "A1", "2025-01-01", 50000, "C", channel="batch", txn_type="brought_forward"),
            posting("t02", "A1", "2025-01-15", 9000.55, "C", channel="batch", txn_type="salary"),
            posting("t03", "A1", "2025-01-16", 1000.05, "D", counterparty_account="A1b", counterparty_bank="本行"),
            posting("t04", "A1b", "2025-01-16", 1000.05, "C", counterparty_account="A1", counterparty_bank="本行"),
            posting("t05", "A1", "2025-01-16", 200, "D", counterparty_account="A2", counterparty_bank="本行"),
            posting("t06", "A2", "2025-01-16", 200, "C", counterparty_account="A1", counterparty_bank="本行"),
            posting("t07", "A2", "2025-01-31", 300000, "C", channel="counter", txn_type="cash"),
            posting("t08", "A3", "2025-01-05", 70, "C", channel="counter", txn_type="cash"),
        ],
    )
    bank.deliver(
        "transactions",
        "2025-02",
        [
            posting("t09", "A1", "2025-02-03", 500, "D", counterparty_account="W9", counterparty_bank="支付宝"),
            posting("t10", "A1", "2025-02-28", 700, "D", counterparty_account="Q7", counterparty_bank="工商银行"),
            posting("t11", "A3", "2025-02-10", 70, "D", channel="counter", txn_type="cash"),
            posting("t12", "A1", "2025-02-28", 12.34, "D", channel="pos", txn_type="purchase"),
        ],
    )
    bank.deliver("transactions", "2025-03", [posting("t13", "A1", "2025-03-31", 88, "D", txn_type="mmf")])
    bank.deliver(
        "balances",
        "2025-01",
        [
            balance("A1", "2025-01-01", 50000),
            balance("A1", "2025-01-15", 59000.55),
            balance("A1", "2025-01-16", 57800.50),
            balance("A1b", "2025-01-16", 1000.05),
            balance("A2", "2025-01-16", 200),
            balance("A2", "2025-01-31", 300200),
            balance("A3", "2025-01-05", 70),
        ],
    )
    bank.deliver(
        "balances",
        "2025-02",
        [balance("A1", "2025-02-03", 57300.50), balance("A1", "2025-02-28", 56588.16), balance("A3", "2025-02-10", 0)],
    )
    bank.deliver("balances", "2025-03", [balance("A1", "2025-03-31", 56500.16)])
    fund = dict(customer_no="2", product_code="FND", start_date="2025-02-01")
    bank.deliver("holdings", "2025-02", [dict(holding_id="H1", business_date="2025-02-01", market_value=1000, **fund)])
    bank.deliver("holdings", "2025-03", [dict(holding_id="H1", business_date="2025-03-01", market_value=1100, **fund)])
    loan = dict(loan_no="L1", customer_no="1", account_no="A1", product_code="CUR", granted_date="2025-01-10")
    loan |= dict(principal=1200, term_months=12, instalment=110, status="running")
    bank.deliver("loans", "2025-01", [dict(business_date="2025-01-10", **loan)])
    due = dict(repayment_id="L1-1", loan_no="L1", due_date="2025-02-10", due_amount=110, days_past_due=0)
    bank.deliver(
        "loan_repayments",
        "2025-02",
        [
            dict(business_date="2025-02-10", paid_amount=0, **due),
            dict(business_date="2025-02-11", paid_amount=110, paid_date="2025-02-11", **due),
        ],
    )
    visit = dict(
        branch_code="B1", service_type="cash", queued_at="2025-03-05 02:00:00", served_at="2025-03-05 02:05:00"
    )
    bank.deliver(
        "branch_visits", "2025-03", [dict(ticket_id="v1", customer_no="2", business_date="2025-03-05", **visit)]
    )
    contact = dict(contact_id="c1", customer_no="2", rm_id="R1", business_date="2025-03-06", channel="phone")
    bank.deliver("rm_contacts", "2025-03", [contact])
    bank.deliver("complaints", "2025-02", [dict(complaint_id="k1", customer_no="1", business_date="2025-02-02")])
    bank.deliver(
        "registrations",
        "2025-01",
        [
            dict(user_id="u1", business_date="2025-01-03", platform="app", is_marketing_opt_out=True, city="宁波"),
            dict(user_id="u2", business_date="2025-01-04", platform="web"),
        ],
    )
    application = dict(event_name="apply_start", product_code="FND", event_at="2025-03-30 12:05:00")
    bank.deliver(
        "app_events",
        "2025-03",
        [
            dict(event_id="e1", user_id="u1", business_date="2025-03-30"),
            dict(event_id="e3", user_id="u1", business_date="2025-03-30", **application),
        ],
    )
    bank.deliver("mall_orders", "2025-03", [dict(order_id="o1", user_id="u2", business_date="2025-03-01", amount=20)])
    bank.deliver(
        "wallet_bindings",
        "2025-02",
        [dict(binding_id="b1", account_no="A1", business_date="2025-02-01", provider="支付宝")],
    )
    bank.deliver(
        "wallet_payments", "2025-03", [dict(payment_id="p1", binding_id="b1", business_date="2025-03-02", amount=5)]
    )
    touch = dict(campaign_id="m1", customer_no="2", business_date="2025-03-07", cost=1)
    bank.deliver(
        "campaign_touches",
        "2025-03",
        [dict(touch_id="x1", arm="treatment", **touch), dict(touch_id="x2", arm="control", **touch)],
    )
    bank.deliver("relationship_managers", "2025-03", [dict(rm_id="R1", branch_code="B1", joined_date="2020-01-01")])
    bank.deliver(
        "rm_assignments",
        "2025-03",
        [
            dict(customer_no="2", rm_id="R0", valid_from="2021-01-01", valid_to="2023-12-31"),
            dict(customer_no="2", rm_id="R1", valid_from="2024-01-01"),
        ],
        known="1900-01-01",
    )
    bank.deliver("social_leads", "2025-03", [dict(lead_id="d1", business_date="2025-03-09", source="微博")])
    bank.insert(
        "raw.customer_xref",
        dict(party_key="cif:1", customer_key="cif:1", rule="first", valid_from="2025-01-01"),
        dict(party_key="online:u1", customer_key="cif:1", rule="id_token", valid_from="2025-01-03"),
    )


def deliver_day(bank: Bank, day: str) -> None:
    """One day more; what was delivered before stays, or is superseded."""
    {"2025-04-01": _first_day, "2025-04-02": _second_day, "2025-04-03": _third_day}[day](bank)


def _first_day(bank: Bank) -> None:
    bank.deliver(
        "transactions", "2025-04-01", [posting("t14", "A2", "2025-04-01", 0.5, "D", channel="atm", txn_type="cash")]
    )
    bank.deliver("balances", "2025-04-01", [balance("A2", "2025-04-01", 300199.5)])
    visit = dict(
        ticket_id="v2", customer_no="1", branch_code="B1", service_type="wealth", served_at="2025-04-01 02:00:00"
    )
    bank.deliver("branch_visits", "2025-04-01", [dict(business_date="2025-04-01", **visit)])
    bank.deliver("app_events", "2025-04-01", [dict(event_id="e2", user_id="u2", business_date="2025-04-01")])


def _second_day(bank: Bank) -> None:
    """A posting and a customer row come late, and a posting of January comes again under another booking day."""
    bank.deliver(
        "transactions",
        "2025-04-02",
        [
            posting("t15", "A1", "2025-03-20", 1.01, "D", channel="pos", txn_type="purchase"),
            posting("t02", "A1", "2025-04-02", 9000.55, "C", channel="batch", txn_type="salary"),
            posting("t16", "A1b", "2025-04-02", 10, "C", channel="counter", txn_type="cash"),
        ],
    )
    bank.deliver(
        "balances", "2025-04-02", [balance("A1", "2025-03-31", 56499.15), balance("A1b", "2025-04-02", 1010.05)]
    )
    cif = dict(customer_no="2", party_type="P", name="n", home_branch_code="B1", opened_date="2025-01-01", city="天津")
    bank.deliver("customers", "2025-04-02", [dict(business_date="2025-03-25", **cif)])
    fund = dict(holding_id="H1", customer_no="2", product_code="FND", start_date="2025-02-01", market_value=0)
    bank.deliver("holdings", "2025-04-02", [dict(business_date="2025-04-02", **fund)])
    lead = dict(party_key="lead:d1", customer_key="cif:2", rule="lead", valid_from="2025-04-02")
    bank.insert("raw.customer_xref", lead)


def _third_day(bank: Bank) -> None:
    """The first of April is delivered again, without its posting and its balance."""
    bank.deliver("transactions", "2025-04-03", [posting("t17", "A1", "2025-04-03", 3, "D", counterparty_account="Q7")])
    bank.deliver("balances", "2025-04-03", [balance("A1", "2025-04-03", 56496.15)])
    for feed in ("transactions", "balances"):
        bank.deliver(feed, "2025-04-01", [], version=2, known="2025-04-03")
        bank.supersede(feed, "2025-04-01", version=1, on="2025-04-03")
