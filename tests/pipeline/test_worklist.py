"""The worklist holds every list once, breaks no rule, and no large outflow is missed; figures are from the raw rows."""

from pathlib import Path

import pytest

from c360.reports import customer, handover, worklist
from lakehouse import warehouse
from lakehouse.settings import Settings
from tests.pipeline.conftest import D3, Undisturbed

_LINKS = "links as (select party_key, customer_key from pii.customer_xref where is_current)"
# Loans as told last: written off, or an instalment that fell due at least 30 days ago is not paid.
COLLECTED = f"""
    with {_LINKS},
    loans as (
        select loan_no, 'cif:' || arg_max(customer_no, business_date) as party_key,
            arg_max(status, business_date) as state
        from raw.loans where _superseded_date is null group by loan_no
    ),
    instalments as (
        select repayment_id, loan_no, due_date,
            arg_max(due_amount - paid_amount, (business_date, _known_date)) as unpaid
        from raw.loan_repayments where _superseded_date is null group by all
    )
    select distinct customer_key
    from loans join links using (party_key)
    left join instalments on loans.loan_no = instalments.loan_no and unpaid > 0 and due_date <= $day - 30
    where state = 'written_off' or (state in ('running', 'in_arrears') and instalments.loan_no is not null)
"""
# More than 30 % of what the customer had on the day before, and 20,000, left for accounts at other banks.
LARGE = f"""
    with {_LINKS},
    owners as (
        select account_no, 'cif:' || arg_max(customer_no, business_date) as party_key,
            arg_max(product_code, business_date) as product_code
        from raw.accounts where _superseded_date is null group by account_no
    ),
    accounts as (
        select owners.account_no, customer_key
        from owners join links using (party_key)
        left join (select product_code, min(product_family) as family from raw.products group by 1) using (product_code)
        where coalesce(family, '') not in ('loan', 'card')
    ),
    postings as (
        select customer_key, account_no, business_date, direction, amount, txn_type, counterparty_bank,
            counterparty_account
        from (
            select *, row_number() over (partition by txn_id order by _known_date, _delivery, _row) as telling
            from raw.transactions where _superseded_date is null
        ) join accounts using (account_no)
        where telling = 1
    ),
    holdings as (
        select customer_key, holding_id, business_date, market_value,
            lead(business_date) over (partition by holding_id order by business_date) as next_date
        from (
            select *, 'cif:' || customer_no as party_key from raw.holdings where _superseded_date is null
        ) join links using (party_key)
    ),
    left_ as (
        select customer_key, business_date as day, sum(amount) as amount
        from postings
        where direction = 'D' and txn_type = 'transfer' and counterparty_bank <> '本行'
            and counterparty_bank not similar to '.*(宝|通|微信|证券|基金).*'
            and business_date > $day - 28
        group by all
        having sum(amount) >= 20000
    )
    select customer_key, day
    from left_
    where amount > 1.02 * 0.3 * (
        coalesce((
            select sum(case direction when 'C' then amount else -amount end) from postings
            where postings.customer_key = left_.customer_key and business_date < day
        ), 0)
        + coalesce((
            select sum(market_value) from holdings
            where holdings.customer_key = left_.customer_key and business_date < day
                and (next_date >= day or next_date is null)
        ), 0)
    )
"""
NO_PHONE = f"""
    with {_LINKS},
    told as (
        select 'cif:' || customer_no as party_key, max(phone) as phone from raw.customers
        where _superseded_date is null group by 1
        union all
        select 'online:' || user_id, max(phone) from raw.registrations where _superseded_date is null group by 1
        union all
        select 'lead:' || lead_id, max(phone) from raw.social_leads where _superseded_date is null group by 1
    )
    select customer_key from links left join told using (party_key) group by customer_key having max(phone) is null
"""


def rows(settings: Settings, sql: str) -> list[tuple]:
    """The rows of a query on the build engine; $day is the business date."""
    return list(zip(*warehouse.query(settings, sql.replace("$day", f"date '{D3}'")).to_pydict().values(), strict=True))


def test_no_large_outflow_to_other_banks_is_missed(day_by_day: Undisturbed) -> None:
    large = set(rows(day_by_day.settings, LARGE))
    alerts = "select customer_key, business_date from build_marts.outflow_alerts"
    serious = set(rows(day_by_day.settings, f"{alerts} where is_serious"))
    assert large
    assert large <= set(rows(day_by_day.settings, alerts))
    assert len(large & serious) >= len(serious) / 2


def test_purchases_of_our_products_and_transfers_to_brokers_are_no_outflow(day_by_day: Undisturbed) -> None:
    classes = "select distinct counterparty_class from build_marts.fct_transactions where txn_type = 'investment'"
    assert {name for (name,) in rows(day_by_day.settings, classes)} == {"own_product", "broker"}
    watched = rows(
        day_by_day.settings, "select counterparty_class from build_marts.flow_kinds where flow_kind = 'outflow'"
    )
    assert not {name for (name,) in watched} & {"own_product", "broker"}


def test_whoever_is_in_collection_gets_collections_and_nothing_else(day_by_day: Undisturbed) -> None:
    settings = day_by_day.settings
    collected = {key for (key,) in rows(settings, COLLECTED)}
    assert collected
    todo = rows(settings, "select customer_key, source, owner from build_actions.worklist where is_handed_out")
    assert {key for key, source, _ in todo if source == "collections"} == collected
    others = {(key, source) for key, source, owner in todo if key in collected and owner not in ("collections", "risk")}
    assert not others


def test_the_worklist_is_what_the_lists_hand_out_each_once(day_by_day: Undisturbed) -> None:
    settings = day_by_day.settings
    lists = ("retention", "next_best_offer", "lead_calls", "collections")
    handed = [f"select action_id from build_actions.{name} where is_handed_out" for name in lists]
    handed.append("select action_id from build_actions.early_warning where is_allowed")
    handed.append("select action_id from build_actions.outflow_actions where is_handed_out and valid_until >= $day")
    expected = rows(settings, " union all ".join(handed))
    found = rows(settings, "select action_id from build_actions.worklist where is_handed_out")
    assert len(found) == len(set(found)) == len(expected) > 20
    assert set(found) == set(expected)
    why_not = (
        "select count(*) from build_actions.worklist where not is_handed_out and block_reason is null and arm is null"
    )
    assert rows(settings, why_not) == [(0,)]


def test_an_action_that_calls_has_a_phone(day_by_day: Undisturbed) -> None:
    settings = day_by_day.settings
    calls = "select customer_key, channel from build_actions.worklist where is_handed_out and action_en like 'Call%'"
    found = rows(settings, calls)
    assert found and {channel for _, channel in found} == {"phone"}
    assert not {key for key, _ in found} & {key for (key,) in rows(settings, NO_PHONE)}


def test_pages_and_commands_show_the_worklist(day_by_day: Undisturbed, tmp_path: Path) -> None:
    settings = day_by_day.settings
    whole = worklist.read(settings)
    assert whole.actions and "to do" in whole.summary() and worklist.page(whole)
    branches = {action["branch_code"] for action in whole.actions} - {None}
    parts = [worklist.read(settings, branch=branch).actions for branch in branches]
    assert sum(map(len, parts)) == sum(action["branch_code"] is not None for action in whole.actions)
    assert worklist.lines(whole).count("\n") == len(whole.actions) + 1
    managed = next(action for action in whole.actions if action["rm_id"])
    assert managed in worklist.read(settings, rm=managed["rm_id"]).actions
    key = managed["customer_key"]
    assert managed["action_en"] in {action["action_en"] for action in customer.read(settings, key).actions}
    (handed,) = (one for one in handover.read(settings, managed["rm_id"]).customers if one.facts["customer_key"] == key)
    assert any(action.what.startswith(managed["action_en"]) for action in handed.open_actions)
    with pytest.raises(worklist.NoSuchList, match="no customer has the branch nowhere"):
        worklist.read(settings, branch="nowhere")
