{{ config(materialized='incremental', incremental_strategy='replace_as_of_dates', on_schema_change='fail') }}
-- Grain: as-of date and customer with money on demand: what a year of it earns the bank, as a share.
with accounts as (

    select
        accounts.as_of_date,
        accounts.customer_key,
        cast(balances.amount_0d_ago as double precision) as amount,
        cast(margins.margin_rate as double precision) as margin_rate
    from {{ ref('int_account__known_on_as_of_dates') }} as accounts
    inner join {{ ref('int_account__balances_known_on_as_of_dates') }} as balances
        on accounts.as_of_date = balances.as_of_date and accounts.account_no_token = balances.position_key
    inner join {{ ref('int_product__margins') }} as margins on accounts.product_code = margins.product_code
    left join {{ ref('product_lines') }} as lines on margins.product_family = lines.product_family
    where balances.amount_0d_ago > 0
        and lines.product_family is null
        and margins.product_family not in ('loan', 'card')

)

select
    as_of_date,
    customer_key,
    sum(amount * margin_rate) / sum(amount) as demand_margin_rate
from accounts
group by as_of_date, customer_key
