-- noqa: disable=LT02
{{ config(
    materialized='incremental', incremental_strategy='replace_as_of_dates', on_schema_change='fail',
) }}

with products as (
    select * from {{ ref('int_product__known_on_as_of_dates') }}
),

identity as (
    select * from {{ ref('int_party__customers_known_on_as_of_dates') }}
),

positions as (
    select
        accounts.as_of_date,
        accounts.customer_key,
        accounts.product_code,
        accounts.opened_date as start_date,
        accounts.is_open as is_held,
        coalesce(balances.amount_0d_ago, 0) as deposit_amount,
        coalesce(balances.amount_0d_ago, 0) as amount
    from {{ ref('int_account__known_on_as_of_dates') }} as accounts
    left join {{ ref('int_account__balances_known_on_as_of_dates') }} as balances
        on accounts.as_of_date = balances.as_of_date and accounts.account_no_token = balances.position_key
    union all
    select
        holdings.as_of_date,
        identity.customer_key,
        holdings.product_code,
        holdings.start_date,
        holdings.amount_0d_ago > 0 as is_held,
        0 as deposit_amount,
        holdings.amount_0d_ago as amount
    from {{ ref('int_holding__values_known_on_as_of_dates') }} as holdings
    inner join identity
        on holdings.as_of_date = identity.as_of_date and holdings.party_key = identity.party_key
)

select
    positions.as_of_date,
    positions.customer_key,
    products.product_line,
    positions.product_code,
    max(case when positions.is_held then 1 else 0 end) as is_held,
    cast(sum(positions.deposit_amount) as decimal(38, 2)) as deposit_amount,
    cast(sum(positions.amount) as decimal(38, 2)) as held_amount,
    max(positions.start_date) as last_start_date,
    {%- for days in [90, 180, 360] %}
    cast(
        count(*) filter (
            where {{ days_between('positions.start_date', 'positions.as_of_date') }} < {{ days }}
        ) as bigint
    ) as purchase_count_{{ days }}d
    {{- ',' if not loop.last }}
    {%- endfor %}
from positions
inner join products
    on positions.as_of_date = products.as_of_date and positions.product_code = products.product_code
group by positions.as_of_date, positions.customer_key, products.product_line, positions.product_code
