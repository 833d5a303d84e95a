{{ config(schema='build_intermediate', contract={'enforced': false}) }}

{% set dates = ref('int_features__as_of_dates') %}

with identity as (
    select * from {{ ref('int_features__identity_known') }}
),

accounts as (
    select * from {{ ref('int_features__accounts_known') }}
),

balances as (
    select * from {{ ref('int_features__balances_known') }}
),

holdings as (
    select
        holdings.as_of_date,
        identity.customer_key,
        holdings.product_code,
        holdings.maturity_date,
        holdings.amount_0d_ago as amount
    from {{ ref('int_features__holdings_known') }} as holdings
    inner join identity
        on holdings.as_of_date = identity.as_of_date and holdings.party_key = identity.party_key
),

cards as (
{{ features_state(ref('stg_branch__cards_versions'), 'card_id', dates, 'as_of_date') }}
),

loans as (
{{ features_state(ref('stg_branch__loans_versions'), 'loan_no', dates, 'as_of_date') }}
),

repayments as (
{{ features_state(ref('stg_branch__loan_repayments_versions'), 'repayment_id', dates, 'as_of_date') }}
),

bindings as (
{{ features_state(ref('stg_online__wallet_bindings_versions'), 'binding_id', dates, 'as_of_date') }}
),

customers as (
    select as_of_date, customer_key
    from identity
    group by as_of_date, customer_key
),

cards_held as (
    select
        identity.as_of_date,
        identity.customer_key,
        count(*) as credit_card_count
    from cards
    inner join identity on cards.state_date = identity.as_of_date and cards.party_key = identity.party_key
    where cards.status = 'active' and cards.card_type = 'credit'
    group by identity.as_of_date, identity.customer_key
),

repayments_by_loan as (
    select
        state_date,
        loan_no,
        max(case when paid_amount < due_amount then days_past_due else 0 end) as days_past_due,
        max(days_past_due) as worst_days_past_due
    from repayments
    group by state_date, loan_no
),

loans_owed as (
    select
        identity.as_of_date,
        identity.customer_key,
        count(*) filter (where loans.status in ('running', 'in_arrears')) as loan_count,
        sum(loans.instalment) filter (where loans.status in ('running', 'in_arrears')) as instalment_amount,
        max(repayments_by_loan.days_past_due) as days_past_due,
        max(repayments_by_loan.worst_days_past_due) as worst_days_past_due
    from loans
    inner join identity on loans.state_date = identity.as_of_date and loans.party_key = identity.party_key
    left join repayments_by_loan
        on loans.state_date = repayments_by_loan.state_date and loans.loan_no = repayments_by_loan.loan_no
    group by identity.as_of_date, identity.customer_key
),

maturing_positions as (
    select accounts.as_of_date, accounts.customer_key, accounts.maturity_date, balances.amount_0d_ago as amount
    from accounts
    inner join balances
        on accounts.as_of_date = balances.as_of_date and accounts.account_no = balances.position_key
    where accounts.is_open
    union all
    select as_of_date, customer_key, maturity_date, amount
    from holdings
),

maturities as (
    select
        as_of_date,
        customer_key,
        sum(amount) filter (where {{ days_between('as_of_date', 'maturity_date') }} <= 30) as maturing_amount_30d,
        sum(amount) as maturing_amount_90d
    from maturing_positions
    where maturity_date > as_of_date and {{ days_between('as_of_date', 'maturity_date') }} <= 90
    group by as_of_date, customer_key
),

holdings_held as (
    select
        as_of_date,
        customer_key,
        count(distinct product_code) as investment_product_count
    from holdings
    where amount > 0
    group by as_of_date, customer_key
),

wallets_bound as (
    select
        accounts.as_of_date,
        accounts.customer_key,
        count(*) as wallet_count
    from bindings
    inner join accounts on bindings.state_date = accounts.as_of_date and bindings.account_no = accounts.account_no
    where bindings.unbound_at is null and accounts.is_open
    group by accounts.as_of_date, accounts.customer_key
)

select
    customers.as_of_date,
    customers.customer_key,
    cast(coalesce(cards_held.credit_card_count, 0) as bigint) as credit_card_count,
    cast(coalesce(loans_owed.loan_count, 0) as bigint) as loan_count,
    cast(coalesce(loans_owed.instalment_amount, 0) as decimal(38,2)) as instalment_amount,
    coalesce(loans_owed.days_past_due, 0) as days_past_due,
    coalesce(loans_owed.worst_days_past_due, 0) as worst_days_past_due,
    cast(coalesce(maturities.maturing_amount_30d, 0) as decimal(38,2)) as maturing_amount_30d,
    cast(coalesce(maturities.maturing_amount_90d, 0) as decimal(38,2)) as maturing_amount_90d,
    cast(coalesce(holdings_held.investment_product_count, 0) as bigint) as investment_product_count,
    cast(coalesce(wallets_bound.wallet_count, 0) as bigint) as wallet_count
from customers
{%- for relation in ['cards_held', 'loans_owed', 'maturities', 'holdings_held', 'wallets_bound'] %}
left join {{ relation }}
    on customers.as_of_date = {{ relation }}.as_of_date and customers.customer_key = {{ relation }}.customer_key
{%- endfor %}
