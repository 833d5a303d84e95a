{{ config(materialized='ephemeral') }}
{%- set notice_date = dbt.dateadd('day', '-limits.days', 'maturity_date') %}
-- Grain: customer and day of maturity: deposits and investments that come free soon, with the amounts on the day of
-- notice.
with links as (

    select * from {{ ref('int_party__customers') }}

),

limits as (

    select * from {{ ref('int_customer__change_limits') }}
    where change_kind = 'maturity_near'

),

states as (

    select
        *,
        lead(business_date) over (partition by account_no_token order by business_date) as valid_to
    from {{ ref('int_account__states') }}

),

accounts as (

    select
        links.customer_key,
        states.account_no_token,
        states.maturity_date,
        cast({{ notice_date }} as date) as change_date
    from states
    inner join links on states.party_key = links.party_key
    inner join limits on links.customer_key = limits.customer_key
    where states.maturity_date > {{ change_lookback() }}
        and states.status <> 'closed'
        and states.business_date <= {{ notice_date }}
        and (states.valid_to is null or states.valid_to > {{ notice_date }})

),

account_balances as (

    select
        accounts.customer_key,
        accounts.maturity_date,
        accounts.change_date,
        balances.balance_amount as amount,
        row_number() over (
            partition by accounts.account_no_token, accounts.maturity_date order by balances.business_date desc
        ) as recency
    from accounts
    inner join {{ ref('fct_balances_daily') }} as balances
        on accounts.account_no_token = balances.account_no_token and balances.business_date <= accounts.change_date

),

holding_values as (

    select
        links.customer_key,
        holdings.maturity_date,
        cast({{ notice_date }} as date) as change_date,
        holdings.market_value_amount as amount,
        row_number() over (
            partition by holdings.holding_id, holdings.maturity_date order by holdings.business_date desc
        ) as recency
    from {{ ref('fct_holdings_daily') }} as holdings
    inner join links on holdings.party_key = links.party_key
    inner join limits on links.customer_key = limits.customer_key
    where holdings.maturity_date > {{ change_lookback() }}
        and holdings.business_date <= {{ notice_date }}

),

maturities as (

    select customer_key, maturity_date, change_date, amount
    from account_balances
    where recency = 1

    union all

    select customer_key, maturity_date, change_date, amount
    from holding_values
    where recency = 1

)

select
    maturities.customer_key,
    'maturity_near' as change_kind,
    'maturity' as change_detail,
    maturities.change_date,
    limits.segment,
    cast(sum(maturities.amount) as decimal(38, 2)) as amount,
    cast(null as decimal(38, 2)) as previous_amount,
    cast(count(*) as integer) as change_count,
    cast(null as integer) as previous_count,
    maturities.maturity_date as event_date
from maturities
inner join limits on maturities.customer_key = limits.customer_key
group by
    maturities.customer_key,
    maturities.change_date,
    maturities.maturity_date,
    limits.segment,
    limits.minimum_amount
having sum(maturities.amount) >= limits.minimum_amount
