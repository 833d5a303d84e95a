-- noqa: disable=LT02
{% set dates = ref('int_calendar__as_of_dates') %}

with identity as (
    select * from {{ ref('int_party__customers_known_on_as_of_dates') }}
),

accounts as (
    select * from {{ ref('int_account__known_on_as_of_dates') }}
),

cards_held as (
    select * from {{ ref('int_customer__cards_known_on_as_of_dates') }}
),

loans_owed as (
    select * from {{ ref('int_customer__loans_known_on_as_of_dates') }}
),

maturities as (
    select * from {{ ref('int_customer__maturities_known_on_as_of_dates') }}
),

bindings as (
    {{ states_known_on(ref('stg_online__wallet_bindings_versions'), 'binding_id', dates, 'as_of_date') }}
),

customers as (
    select as_of_date, customer_key
    from identity
    group by as_of_date, customer_key
),

wallets_bound as (
    select
        accounts.as_of_date,
        accounts.customer_key,
        count(*) as wallet_count
    from bindings
    inner join accounts
        on bindings.state_date = accounts.as_of_date and bindings.account_no_token = accounts.account_no_token
    where bindings.unbound_at is null and accounts.is_open
    group by accounts.as_of_date, accounts.customer_key
)

select
    customers.as_of_date,
    customers.customer_key,
    cast(coalesce(cards_held.credit_card_count, 0) as bigint) as credit_card_count,
    cast(coalesce(loans_owed.loan_count, 0) as bigint) as loan_count,
    cast(coalesce(loans_owed.instalment_amount, 0) as decimal(38, 2)) as instalment_amount,
    coalesce(loans_owed.days_past_due, 0) as days_past_due,
    coalesce(loans_owed.worst_days_past_due, 0) as worst_days_past_due,
    cast(
        case when loans_owed.days_past_due >= 30 then 0 else coalesce(loans_owed.running_loan_count, 0) end as bigint
    ) as performing_loan_count,
    cast(coalesce(loans_owed.unpaid_instalment_count, 0) as bigint) as unpaid_instalment_count,
    coalesce(loans_owed.worst_days_past_due_90d, 0) as worst_days_past_due_90d,
    loans_owed.days_since_arrears,
    cast(coalesce(loans_owed.instalment_count, 0) as bigint) as instalment_count,
    cast(coalesce(loans_owed.late_instalment_count, 0) as bigint) as late_instalment_count,
    loans_owed.remaining_term_months,
    loans_owed.guarantor_days_past_due,
    cast(coalesce(cards_held.card_limit_amount, 0) as decimal(38, 2)) as card_limit_amount,
    cast(coalesce(cards_held.card_drawn_amount, 0) as decimal(38, 2)) as card_drawn_amount,
    cast(coalesce(maturities.maturing_amount_30d, 0) as decimal(38, 2)) as maturing_amount_30d,
    cast(coalesce(maturities.maturing_amount_90d, 0) as decimal(38, 2)) as maturing_amount_90d,
    cast(coalesce(maturities.investment_product_count, 0) as bigint) as investment_product_count,
    cast(coalesce(wallets_bound.wallet_count, 0) as bigint) as wallet_count
from customers
{%- for relation in ['cards_held', 'loans_owed', 'maturities', 'wallets_bound'] %}
left join {{ relation }}
    on customers.as_of_date = {{ relation }}.as_of_date and customers.customer_key = {{ relation }}.customer_key
{%- endfor %}
