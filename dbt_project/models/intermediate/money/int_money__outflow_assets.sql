-- Grain: customer and day of an outflow, over the last 28 days. What the customer had with us at the end of the day
-- before (the last month-end before it, and what changed since), and the star tier of that month-end: neither moves
-- when the money has left.
{%- set business_date = date_literal(var('business_date')) %}
{%- set first_month = "cast(date_trunc('month', " ~ days_before(business_date, 27) ~ ") as date)" %}
with days as (

    select distinct
        customer_key,
        business_date,
        cast(date_trunc('month', business_date) as date) as month_date
    from {{ ref('int_money__outflow_days') }}
    where business_date > {{ days_before(business_date, 28) }}

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
