"""Debt, profit, tiers and the value of offers, against SQL of its own over the deliveries as they landed.

Debts are carried on instalment by instalment, balances day by day: nothing of the models' closed forms.
"""

from datetime import date, timedelta

import duckdb
import numpy as np
import pytest

from lakehouse.settings import PROJECT
from tests.pipeline.conftest import D3, LAST_OF_HISTORY, Undisturbed

TEXT = "delim = '|', all_varchar = true, header = true"
LANDED = """
    create macro newest(feed) as table
        select * from read_csv('{landing}/' || feed || '/*.dat', filename = true, {text});
    create table loans as
        select
            loan_no, 'cif:' || customer_no as customer_key, product_code, status, cast(business_date as date) as day,
            cast(granted_date as date) as granted, cast(principal as double) as principal,
            cast(term_months as integer) as months, cast(interest_rate as double) as rate,
            cast(instalment as double) as instalment,
            lead(cast(business_date as date)) over (partition by loan_no order by business_date) as until
        from newest('loans');
    create table repayments as
        select
            loan_no, repayment_id, cast(business_date as date) as day, cast(due_date as date) as due,
            cast(due_amount as double) as due_amount, cast(paid_amount as double) as paid
        from newest('loan_repayments');
    create table balances as
        select account_no, cast(business_date as date) as day, cast(balance as double) as balance
        from newest('balances');
    create table accounts as
        select account_no, 'cif:' || max_by(customer_no, business_date) as customer_key,
            max_by(product_code, business_date) as product_code,
            cast(max_by(interest_rate, business_date) as double) as rate
        from newest('accounts') group by account_no;
    create table holdings as
        select
            holding_id, 'cif:' || customer_no as customer_key, product_code, cast(start_date as date) as started,
            cast(business_date as date) as day, cast(market_value as double) as amount, cast(cost as double) as cost
        from newest('holdings');
    create table fees as
        select account_no, cast(amount as double) as amount, cast(business_date as date) as day
        from newest('transactions') where txn_type = 'fee' and direction = 'D';
    create table prices as
        select * from read_csv('{seeds}/transfer_prices.csv') where currency = 'CNY';
    create table risks as select * from read_csv('{seeds}/loan_risks.csv');
    create table parties as
        select party_key, customer_key from {marts}dim_party;
    create table products as
        select product_code, product_family, coalesce(term_days, 0) as term_days, cast(interest_rate as double) as rate
        from {marts}dim_product;
    create table margins as
        select product_code, product_family, products.rate, max_by(transfer_rate, minimum_term_days) as transfer_rate,
            coalesce(max_by(fee_rate, minimum_term_days), 0) as fee_rate,
            coalesce(max_by(sale_fee_rate, minimum_term_days), 0) as sale_fee_rate
        from products join prices using (product_family)
        where minimum_term_days <= term_days
        group by all;
"""
# what a loan owes on a day: the principal, with interest added and an instalment taken off, once for each one paid
DEBTS = """
    create or replace table debts_{name} as
    with recursive
    state as (
        select * from loans where day <= $on and (until is null or until > $on) and status in ('running', 'in_arrears')
    ),
    told as (
        select loan_no, min(due) as first_due, count(*) filter (where is_paid) as paid_count
        from (
            select loan_no, repayment_id, any_value(due) as due, max(paid) >= any_value(due_amount) as is_paid
            from repayments where day <= $on group by all
        )
        group by loan_no
    ),
    plan as (
        select
            state.*,
            coalesce(paid_count, 0) + (
                select count(*) from range(1, months) as plan(n)
                where date_trunc('month', granted) + to_months(cast(n as integer))
                    < date_trunc('month', coalesce(first_due, granted))
            ) as payments
        from state left join told using (loan_no)
    ),
    steps as (
        select loan_no, payments, rate, instalment, principal as debt, 0 as step from plan
        union all
        select loan_no, payments, rate, instalment, debt * (1 + rate / 12) - instalment, step + 1
        from steps where step < payments
    )
    select plan.*, case when plan.payments >= plan.months then 0 else steps.debt end as debt
    from plan join steps on plan.loan_no = steps.loan_no and steps.step = plan.payments
"""
PROFITS = """
    with days as (
        select unnest(generate_series(date_trunc('month', $month_end), $month_end, interval 1 day))::date as today
    ),
    deposits as (
        select customer_key, sum(balance * (transfer_rate - accounts.rate) / 365) as amount
        from (select distinct account_no from balances) as known
        cross join days
        asof join balances on known.account_no = balances.account_no and balances.day <= days.today
        join accounts on known.account_no = accounts.account_no
        join margins using (product_code)
        group by customer_key
    ),
    investments as (
        select customer_key, sum(amount * (coalesce(transfer_rate - rate, 0) + fee_rate) / 365) as amount
        from (select distinct holding_id from holdings) as known
        cross join days
        asof join holdings on known.holding_id = holdings.holding_id and holdings.day <= days.today
        join margins using (product_code)
        group by customer_key
    ),
    sales as (
        select customer_key, sum(cost * sale_fee_rate) as amount
        from (select customer_key, product_code, min_by(cost, day) as cost, min(started) as started
              from holdings group by holding_id, customer_key, product_code)
        join margins using (product_code)
        where started between date_trunc('month', $month_end) and $month_end
        group by customer_key
    ),
    posted as (
        select customer_key, sum(amount) as amount from fees join accounts using (account_no)
        where day between date_trunc('month', $month_end) and $month_end
        group by customer_key
    ),
    lent as (
        select
            coalesce(after.customer_key, before.customer_key) as customer_key,
            coalesce(after.product_code, before.product_code) as product_code,
            coalesce(after.months, before.months) as months,
            coalesce(after.rate, before.rate) as rate,
            (coalesce(before.debt, 0) + coalesce(after.debt, 0)) / 2 as debt
        from debts_before as before full join debts_after as after using (loan_no)
    ),
    credits as (
        select customer_key, sum(debt * day($month_end) / 365 * (
            rate
            - (select max_by(transfer_rate, minimum_term_days) from prices
               where product_family = 'loan' and minimum_term_days <= 30.5 * months)
            - (select min_by(default_rate * loss_given_default_rate, rule_order) from risks
               where product_code like product_code_pattern and months >= minimum_term_months)
        )) as amount
        from lent group by customer_key
    )
    select parties.customer_key, sum(amount) as amount
    from (from deposits union all from investments union all from sales union all from posted union all from credits)
        as earned
    join parties on earned.customer_key = parties.party_key
    group by all having abs(sum(amount)) >= 0.005
"""
PUBLISHED = """
    select customer_key, cast(sum(profit_amount + service_cost_amount) as double) as amount
    from {marts}customer_profit_monthly where as_of_date = $month_end and product_code <> 'SERVICE' group by all
"""


# what an offer adds: margin in the product less margin on demand, for as long as the money would not have left anyway
OFFERS = """
    with demand as (
        select parties.customer_key, sum(amount * (transfer_rate - margins.rate)) / sum(amount) as rate
        from (
            select account_no, max_by(balance, day) as amount from balances where day <= $today
            group by account_no having max_by(balance, day) > 0
        ) as told
        join accounts using (account_no)
        join margins using (product_code)
        join parties on accounts.customer_key = parties.party_key
        where product_family in ('current', 'savings')
        group by all
    ),
    offers as (
        select
            offers.*,
            case when term_days > 0 then term_days else 365 end as days,
            coalesce(transfer_rate - margins.rate, 0) + fee_rate as new_rate,
            sale_fee_rate,
            demand.rate as old_rate,
            coalesce(leaving.probability, 0) as leaving
        from {actions}next_best_offer as offers
        join products using (product_code)
        join margins using (product_code)
        join demand using (customer_key)
        left join {scores}deposit_churn_latest as leaving using (customer_key)
        where offers.is_handed_out
    )
    select
        customer_key,
        {{
            'told': cast(expected_value_amount as double),
            'added': probability * cast(amount as double) * (
                new_rate * days / 365 + sale_fee_rate - old_rate * days / 365 * (1 - leaving) ** (days / 180)
            ) - 8,
            'gains_at_once': new_rate * days / 365 + sale_fee_rate >= old_rate * days / 365,
            'says_so': contains(reason_en, 'keeps money that may leave') and is_retention
        }}
    from offers
"""


class Landed:
    """What landed at a bank beside what readers see of it; ``schema`` is the beginning of the schemas' names."""

    def __init__(self, landing: str, attached: str, schema: str, today: date, month_end: date) -> None:
        self.today, self.month_end = today, month_end
        self.layers = {layer: f"{schema}{layer}." for layer in ("marts", "scores", "actions")}
        self.con = duckdb.connect()
        self.con.execute(f"attach '{attached}' as readers (read_only)")
        form = {"landing": landing, "text": TEXT, "seeds": PROJECT / "dbt_project" / "seeds", **self.layers}
        for statement in LANDED.format(**form).split(";"):
            if statement.strip():
                self.con.execute(statement)

    def rows(self, sql: str) -> dict:
        names = {"month_end": self.month_end, "today": self.today}
        values = {name: value for name, value in names.items() if f"${name}" in sql}
        return dict(self.con.execute(sql.format(**self.layers), values).fetchall())

    def debts(self, name: str, on: date) -> None:
        self.con.execute(DEBTS.format(name=name), {"on": on})


@pytest.fixture(scope="module")
def landed(day_by_day: Undisturbed) -> Landed:
    settings = day_by_day.settings
    return Landed(str(settings.landing), str(settings.warehouse), "readers.", D3, LAST_OF_HISTORY)


def test_a_debt_is_the_principal_less_what_the_instalments_repaid(landed: Landed) -> None:
    landed.debts("now", landed.today)
    expected = landed.rows(
        "select parties.customer_key, sum(debt) from debts_now "
        "join parties on debts_now.customer_key = parties.party_key group by all"
    )
    published = landed.rows(
        "select customer_key, cast(loan_amount as double) from {marts}customer_360 where loan_count > 0"
    )
    assert published == pytest.approx(expected, abs=0.02)
    assert len(expected) > 50


def test_profit_is_interest_and_fees_less_risk_never_repaid_principal(landed: Landed) -> None:
    landed.debts("after", landed.month_end)
    landed.debts("before", landed.month_end.replace(day=1) - timedelta(days=1))
    expected, published = landed.rows(PROFITS), landed.rows(PUBLISHED)
    wrong = {
        customer: (expected.get(customer, 0), published.get(customer, 0))
        for customer in expected.keys() | published.keys()
        if abs(expected.get(customer, 0) - published.get(customer, 0)) > 0.15  # cents are rounded asset by asset
    }
    assert not wrong
    assert len(expected) > 300


def test_who_holds_and_owes_nothing_has_the_lowest_tier(landed: Landed) -> None:
    landed.debts("now", landed.today)
    left = landed.rows(
        """
        select customer_key, star_tier from {marts}customer_360
        where customer_key not in (
            select parties.customer_key
            from (
                select accounts.customer_key, max_by(balance, day) as amount
                from balances join accounts using (account_no) group by account_no, accounts.customer_key
                union all
                select customer_key, max_by(amount, day) from holdings group by holding_id, customer_key
                union all
                select customer_key, debt from debts_now
            ) as held
            join parties on held.customer_key = parties.party_key
            group by parties.customer_key having sum(held.amount) >= 100
        )
        """
    )
    assert set(left.values()) == {1}
    assert len(left) > 50


def test_a_debt_that_is_repaid_keeps_no_tier(landed: Landed) -> None:
    """Those who hold nothing at a month-end in which their loan was repaid."""
    repaid = landed.rows(
        """
        select months.customer_key || months.as_of_date, months.star_tier
        from loans
        join parties on loans.customer_key = parties.party_key
        join {marts}customer_360_monthly as months
            on parties.customer_key = months.customer_key and last_day(loans.day) = months.as_of_date
        where loans.status = 'repaid' and months.aum_amount = 0
        """
    )
    assert set(repaid.values()) == {1}


def test_assets_are_the_banks_own_balances(landed: Landed) -> None:
    expected = landed.rows(
        """
        select parties.customer_key, sum(amount)
        from (
            select account_no, max_by(balance, day) as amount from balances where day <= $today group by account_no
        ) as told
        join accounts using (account_no)
        join products using (product_code)
        join parties on accounts.customer_key = parties.party_key
        where product_family not in ('loan', 'card')
        group by all having abs(sum(amount)) >= 0.005
        """
    )
    published = landed.rows(
        "select customer_key, cast(deposit_amount as double) from {marts}customer_360 where deposit_amount <> 0"
    )
    assert published == pytest.approx(expected, abs=0.005)


def test_offers_add_to_the_margin_or_say_what_they_keep(landed: Landed) -> None:
    offers = landed.rows(OFFERS).values()
    assert offers
    for offer in offers:
        assert offer["told"] == pytest.approx(offer["added"], abs=0.02)
        assert offer["told"] > 0
        assert offer["gains_at_once"] != offer["says_so"]


def test_an_expected_loss_is_what_is_lost_of_the_debt(landed: Landed) -> None:
    landed.debts("now", landed.today)
    rows = landed.rows(
        """
        with lost as (
            select parties.customer_key, sum(debt * (
                select min_by(loss_given_default_rate, rule_order) from risks
                where product_code like product_code_pattern and months >= minimum_term_months
            )) as amount
            from debts_now join parties on debts_now.customer_key = parties.party_key group by all
        )
        select customer_key, {{
            'told': cast(expected_loss_amount as double), 'lost': probability * lost.amount,
            'debt': cast(outstanding_amount as double)
        }}
        from {marts}credit_watch join lost using (customer_key) where probability is not null
        """
    )
    assert len(rows) > 20
    for row in rows.values():
        assert row["told"] == pytest.approx(row["lost"], rel=1e-4, abs=0.03)
        assert row["told"] <= 0.6 * row["debt"] + 0.03


def test_assets_at_risk_are_those_that_are_likely_to_leave(landed: Landed) -> None:
    rows = landed.rows(
        """
        with deposits as (
            select accounts.customer_key, max_by(balance, day) as amount
            from balances join accounts using (account_no) join products using (product_code)
            where day <= $today and product_family not in ('loan', 'card') group by account_no, accounts.customer_key
        ),
        investments as (
            select customer_key, max_by(amount, day) as amount from holdings group by holding_id, customer_key
        ),
        held as (
            select parties.customer_key, sum(amount) filter (where kind = 1) as deposits,
                sum(amount) filter (where kind = 2) as investments
            from (select 1 as kind, * from deposits union all select 2, * from investments) as assets
            join parties on assets.customer_key = parties.party_key group by all
        )
        select action_id, {{
            'told': cast(assets_at_risk_amount as double),
            'exposed': cast(exposed_amount as double),
            'held': case task
                when 'deposit_churn' then deposits when 'wealth_churn' then investments
                else coalesce(deposits, 0) + coalesce(investments, 0) end,
            'probability': retention.probability
        }}
        from {actions}retention as retention join held using (customer_key)
        """
    )
    assert len(rows) > 10
    for row in rows.values():
        assert row["exposed"] == pytest.approx(row["held"], abs=0.01)
        assert row["told"] == pytest.approx(row["held"] * row["probability"], rel=1e-4, abs=0.02)


def test_lifetime_value_is_contribution_for_as_long_as_the_customer_may_stay(landed: Landed) -> None:
    rows = landed.rows(
        """
        select curves.customer_key, {{
            'stay': [1, stay_30d_rate, stay_60d_rate, stay_90d_rate, stay_180d_rate, curves.stay_365d_rate],
            'monthly': cast(customers.contribution_3m_amount as double) / 3,
            'told': cast(customers.lifetime_value_amount as double)
        }}
        from {scores}churn_survival_latest as curves
        join {marts}customer_360 as customers using (customer_key)
        """
    )
    assert len(rows) > 100
    for row in rows.values():
        year = np.interp(range(1, 13), [0, 1, 2, 3, 6, 12], row["stay"])
        stays = np.concatenate([year * row["stay"][-1] ** later for later in range(3)])
        value = row["monthly"] * (stays / 1.05 ** (np.arange(1, 37) / 12)).sum()
        assert row["told"] == pytest.approx(value, abs=0.01)
    without = "select customer_key, lifetime_value_amount from {marts}customer_360"
    abstained = [value for customer, value in landed.rows(without).items() if customer not in rows]
    assert set(abstained) <= {None}
