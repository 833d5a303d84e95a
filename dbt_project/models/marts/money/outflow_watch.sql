-- Grain: customer, at the business date: what the next day's outflows are judged by. Within the day the loop joins it.
{%- set business_date = date_literal(var('business_date')) %}
with positions as (

    select * from {{ ref('int_customer__positions_monthly') }}
    where as_of_date = {{ business_date }}

),

tiers as (

    select
        customer_key,
        star_tier,
        row_number() over (partition by customer_key order by as_of_date desc) as recency
    from {{ ref('int_customer__positions_monthly') }}
    where as_of_date > {{ days_before(business_date, 32) }}
        and as_of_date = cast({{ dbt.last_day('as_of_date', 'month') }} as date)

),

profiles as (

    select * from {{ ref('dim_customer') }}
    where is_current

),

flows as (

    select
        accounts.customer_key,
        max(case when kinds.flow_kind = 'pay' then flows.business_date end) as last_pay_date,
        sum(
            case
                when kinds.flow_kind = 'lent'
                    and {{ days_between('flows.business_date', business_date) }}
                    < {{ limit('money_thresholds', 'outflow_lent_days') }}
                    then flows.amount
                else 0
            end
        )
            as lent_amount
    from {{ ref('account_flow_daily') }} as flows
    inner join {{ ref('dim_account') }} as accounts on flows.account_no_token = accounts.account_no_token
    inner join {{ ref('int_money__flow_kinds') }} as kinds
        on flows.counterparty_class = kinds.counterparty_class and flows.direction = kinds.direction
    where flows.business_date > {{ days_before(business_date, 31) }} and flows.txn_count > 0
        and kinds.flow_kind in ('pay', 'lent')
    group by accounts.customer_key

)

select
    positions.customer_key,
    positions.as_of_date,
    cast('{{ var("currency") }}' as varchar) as currency,
    cast(positions.aum_amount as decimal(38, 2)) as asset_amount,
    coalesce(tiers.star_tier, 1) as star_tier,
    profiles.home_branch_code as branch_code,
    flows.last_pay_date,
    cast(coalesce(flows.lent_amount, 0) as decimal(38, 2)) as lent_amount
from positions
left join tiers on positions.customer_key = tiers.customer_key and tiers.recency = 1
left join profiles on positions.customer_key = profiles.customer_key
left join flows on positions.customer_key = flows.customer_key
