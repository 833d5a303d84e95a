{{ config(materialized='ephemeral') }}
-- Grain: a large outflow, and whether the postings of the day, and what was held at the end of the day before, say the
-- same.
with changes as (

    select
        *,
        split_part(change_detail, ':', 1) as flow_kind
    from {{ ref('int_customer__changes_in_words') }}
    where change_kind = 'large_outflow'

),

accounts as (

    select * from {{ ref('int_account__accounts') }}

),

postings as (

    select
        accounts.customer_key,
        transactions.business_date,
        kinds.flow_kind,
        transactions.amount
    from {{ ref('fct_transactions') }} as transactions
    inner join accounts on transactions.account_no_token = accounts.account_no_token
    inner join {{ ref('int_money__flow_kinds') }} as kinds
        on transactions.counterparty_class = kinds.counterparty_class and transactions.direction = kinds.direction
    where transactions.business_date > {{ change_lookback(31) }}

),

moved as (

    select
        changes.customer_key,
        changes.change_detail,
        changes.change_date,
        sum(case when postings.flow_kind = 'lent' then 0 else postings.amount end) as out_amount,
        sum(case when postings.flow_kind = 'lent' then postings.amount else 0 end) as lent_amount
    from changes
    inner join postings
        on changes.customer_key = postings.customer_key
            and (
                changes.flow_kind = postings.flow_kind and changes.change_date = postings.business_date
                or postings.flow_kind = 'lent'
                and postings.business_date <= changes.change_date
                and {{ days_between('postings.business_date', 'changes.change_date') }}
                <= {{ limit('money_thresholds', 'outflow_lent_days') }}
            )
    group by changes.customer_key, changes.change_detail, changes.change_date

),

assets as (

    select
        accounts.customer_key,
        balances.account_no_token as asset_id,
        balances.business_date,
        coalesce(balances.bank_balance_amount, balances.balance_amount) as amount
    from {{ ref('fct_balances_daily') }} as balances
    inner join accounts on balances.account_no_token = accounts.account_no_token
    where coalesce(accounts.product_family, '') not in ('loan', 'card')

    union all

    select
        links.customer_key,
        holdings.holding_id as asset_id,
        holdings.business_date,
        holdings.market_value_amount as amount
    from {{ ref('fct_holdings_daily') }} as holdings
    inner join {{ ref('int_party__customers') }} as links on holdings.party_key = links.party_key

),

known as (

    select
        changes.customer_key,
        changes.change_detail,
        changes.change_date,
        assets.amount,
        row_number() over (
            partition by changes.customer_key, changes.change_detail, changes.change_date, assets.asset_id
            order by assets.business_date desc
        ) as recency
    from changes
    inner join assets on changes.customer_key = assets.customer_key and assets.business_date < changes.change_date

),

held as (

    select
        customer_key,
        change_detail,
        change_date,
        sum(amount) as amount
    from known
    where recency = 1
    group by customer_key, change_detail, change_date

)

select
    changes.customer_key,
    changes.change_kind,
    changes.change_detail,
    changes.change_date,
    moved.out_amount - moved.lent_amount = changes.amount
    and coalesce(held.amount, 0) = changes.previous_amount as is_true
from changes
left join moved
    on changes.customer_key = moved.customer_key
        and changes.change_detail = moved.change_detail
        and changes.change_date = moved.change_date
left join held
    on changes.customer_key = held.customer_key
        and changes.change_detail = held.change_detail
        and changes.change_date = held.change_date
