{{ config(materialized='ephemeral') }}
-- Grain: customer and day: money of the customer's own that left in one day, large by the rule of the alerts
-- (outflow_limits_by_tier). A leak is an outflow, too: the larger of the two is said, of equal ones the leak. What
-- comes straight back is none.
with thresholds as (

    select * from {{ ref('int_customer__change_limits') }}
    where change_kind = 'large_outflow'

),

outflows as (

    select
        days.customer_key,
        days.flow_kind,
        days.business_date,
        days.amount - days.lent_amount as amount,
        days.lent_amount,
        assets.assets_before_amount,
        row_number() over (
            partition by days.customer_key, days.business_date order by days.amount desc, days.flow_kind
        ) as place
    from {{ ref('int_money__outflow_days') }} as days
    inner join {{ ref('int_money__outflow_assets') }} as assets
        on days.customer_key = assets.customer_key and days.business_date = assets.business_date
    inner join {{ ref('outflow_limits_by_tier') }} as limits
        on days.flow_kind = limits.flow_kind and assets.star_tier = limits.star_tier
    where days.business_date > {{ change_lookback() }}
        and ({{ is_large_outflow('(days.amount - days.lent_amount)') }})

),

-- of the same classes, from the day on
returned as (

    select
        outflows.customer_key,
        outflows.flow_kind,
        outflows.business_date,
        sum(flows.amount) as amount
    from outflows
    inner join thresholds on outflows.customer_key = thresholds.customer_key
    inner join {{ ref('int_account__accounts') }} as accounts on outflows.customer_key = accounts.customer_key
    inner join {{ ref('account_flow_daily') }} as flows
        on accounts.account_no_token = flows.account_no_token
            and flows.direction = 'C'
            and flows.business_date >= outflows.business_date
            and {{ days_between('outflows.business_date', 'flows.business_date') }} <= thresholds.return_days
    inner join {{ ref('int_money__flow_kinds') }} as kinds
        on outflows.flow_kind = kinds.flow_kind and flows.counterparty_class = kinds.counterparty_class
    where flows.business_date > {{ change_lookback() }}
    group by outflows.customer_key, outflows.flow_kind, outflows.business_date

)

select
    outflows.customer_key,
    'large_outflow' as change_kind,
    outflows.flow_kind || case when outflows.lent_amount > 0 then ':lent' else ':own' end as change_detail,
    outflows.business_date as change_date,
    thresholds.segment,
    cast(outflows.amount as decimal(38, 2)) as amount,
    cast(outflows.assets_before_amount as decimal(38, 2)) as previous_amount,
    cast(null as integer) as change_count,
    cast(null as integer) as previous_count,
    outflows.business_date as event_date
from outflows
inner join thresholds on outflows.customer_key = thresholds.customer_key
left join returned
    on outflows.customer_key = returned.customer_key
        and outflows.flow_kind = returned.flow_kind
        and outflows.business_date = returned.business_date
where outflows.place = 1
    and coalesce(returned.amount, 0) < thresholds.minimum_rate * outflows.amount
