-- Grain: customer and day of an outflow: each of the last 28 days, and before them, as far back as the rules of change
-- read, those that may be large. What the customer had with us at the end of the day before (the last month-end before
-- it, and what changed since), and the star tier of that month-end: neither moves when the money has left.
{%- set business_date = date_literal(var('business_date')) %}
{%- set first_month = "cast(date_trunc('month', " ~ change_lookback(-1) ~ ") as date)" %}
with smallest as (

    select
        flow_kind,
        min(least(share_minimum_amount, sum_amount)) as amount
    from {{ ref('outflow_limits_by_tier') }}
    group by flow_kind

),

days as (

    select distinct
        outflows.customer_key,
        outflows.business_date,
        cast(date_trunc('month', outflows.business_date) as date) as month_date
    from {{ ref('int_money__outflow_days') }} as outflows
    inner join smallest on outflows.flow_kind = smallest.flow_kind
    where outflows.business_date > {{ days_before(business_date, 28) }}
        or (
            outflows.business_date > {{ change_lookback() }}
            and outflows.amount - outflows.lent_amount >= smallest.amount
        )

),

positions as (

    select * from {{ ref('int_customer__positions_monthly') }}
    where as_of_date >= {{ days_before(first_month, 1) }}

),

changes as (

    select
        owners.customer_key,
        changes.business_date,
        sum(changes.change_amount) as change_amount
    from {{ ref('int_asset__changes') }} as changes
    inner join {{ ref('int_asset__owners') }} as owners
        on changes.asset_class = owners.asset_class and changes.asset_id = owners.asset_id
    where changes.business_date >= {{ first_month }} and changes.business_date < {{ business_date }}
    group by owners.customer_key, changes.business_date

),

moves as (

    select
        days.customer_key,
        days.business_date,
        sum(changes.change_amount) as change_amount
    from days
    inner join changes
        on days.customer_key = changes.customer_key
            and changes.business_date >= days.month_date
            and changes.business_date < days.business_date
    group by days.customer_key, days.business_date

)

select
    days.customer_key,
    days.business_date,
    cast(coalesce(positions.aum_amount, 0) + coalesce(moves.change_amount, 0) as decimal(38, 2))
        as assets_before_amount,
    coalesce(positions.star_tier, 1) as star_tier
from days
left join positions
    on days.customer_key = positions.customer_key and positions.as_of_date = {{ days_before('days.month_date', 1) }}
left join moves on days.customer_key = moves.customer_key and days.business_date = moves.business_date
