{{ config(materialized='ephemeral') }}
with accounts as (
    select * from {{ ref('int_account__known_on_as_of_dates') }}
),

balances as (
    select * from {{ ref('int_account__balances_known_on_as_of_dates') }}
),

holdings as (
    select
        holdings.as_of_date,
        identity.customer_key,
        holdings.product_code,
        holdings.maturity_date,
        holdings.amount_0d_ago as amount
    from {{ ref('int_holding__values_known_on_as_of_dates') }} as holdings
    inner join {{ ref('int_party__customers_known_on_as_of_dates') }} as identity
        on holdings.as_of_date = identity.as_of_date and holdings.party_key = identity.party_key
),

maturing_positions as (
    select
        accounts.as_of_date,
        accounts.customer_key,
        accounts.maturity_date,
        balances.amount_0d_ago as amount,
        cast(null as varchar) as product_code
    from accounts
    inner join balances
        on accounts.as_of_date = balances.as_of_date and accounts.account_no_token = balances.position_key
    where accounts.is_open
    union all
    select as_of_date, customer_key, maturity_date, amount, product_code
    from holdings
)

select
    as_of_date,
    customer_key,
    {%- for days in [30, 90] %}
    sum(amount) filter (
        where maturity_date > as_of_date and {{ days_between('as_of_date', 'maturity_date') }} <= {{ days }}
    ) as maturing_amount_{{ days }}d,
    {%- endfor %}
    count(distinct case when amount > 0 then product_code end) as investment_product_count
from maturing_positions
group by as_of_date, customer_key
