{{ config(materialized='ephemeral') }}
-- Grain: a change of assets or a maturity, and whether the balances and holdings of the day say the same.
with changes as (

    select * from {{ ref('int_customer__changes_in_words') }}
    where change_kind in ('assets_fell', 'assets_rose', 'maturity_near')

),

links as (

    select * from {{ ref('int_party__customers') }}

),

assets as (

    select
        accounts.customer_key,
        balances.account_no_token as asset_id,
        accounts.maturity_date,
        balances.business_date,
        balances.balance_amount as amount
    from {{ ref('fct_balances_daily') }} as balances
    inner join {{ ref('int_account__accounts') }} as accounts on balances.account_no_token = accounts.account_no_token

    union all

    select
        links.customer_key,
        holdings.holding_id as asset_id,
        holdings.maturity_date,
        holdings.business_date,
        holdings.market_value_amount as amount
    from {{ ref('fct_holdings_daily') }} as holdings
    inner join links on holdings.party_key = links.party_key

),

known as (

    select
        changes.customer_key,
        changes.change_kind,
        changes.change_detail,
        changes.change_date,
        assets.amount,
        row_number() over (
            partition by
                changes.customer_key, changes.change_kind, changes.change_detail, changes.change_date,
                changes.event_date, assets.asset_id
            order by assets.business_date desc
        ) as recency
    from changes
    inner join assets
        on changes.customer_key = assets.customer_key
            and assets.business_date <= changes.change_date
            and (changes.change_kind <> 'maturity_near' or assets.maturity_date = changes.event_date)

),

sums as (

    select
        customer_key,
        change_kind,
        change_detail,
        change_date,
        sum(amount) as amount
    from known
    where recency = 1
    group by customer_key, change_kind, change_detail, change_date

)

select
    changes.customer_key,
    changes.change_kind,
    changes.change_detail,
    changes.change_date,
    coalesce(sums.amount, 0) = changes.amount
    and case changes.change_kind
        when 'assets_fell' then changes.amount < changes.previous_amount
        when 'assets_rose' then changes.amount > changes.previous_amount
        else true
    end as is_true
from changes
left join sums
    on changes.customer_key = sums.customer_key
        and changes.change_kind = sums.change_kind
        and changes.change_detail = sums.change_detail
        and changes.change_date = sums.change_date
