with days as (

    select
        *,
        cast(date_trunc('month', business_date) as date) as month_date
    from {{ ref('int_money__outflow_days') }}
    where business_date > {{ days_before(date_literal(var('business_date')), 28) }}

),

baselines as (

    select * from {{ ref('outflow_baselines') }}

),

positions as (

    select * from {{ ref('int_customer__positions_monthly') }}
    where as_of_date = {{ date_literal(var('business_date')) }}

),

profiles as (

    select * from {{ ref('dim_customer') }}
    where is_current

)

select
    days.customer_key,
    days.business_date,
    cast(days.flow_kind as varchar) as flow_kind,
    cast(days.season as varchar) as season,
    days.amount,
    baselines.usual_amount,
    (ln(cast(days.amount as double precision)) - baselines.center) / baselines.spread as robust_z,
    positions.star_tier,
    profiles.home_branch_code as branch_code
from days
inner join baselines
    on days.customer_key = baselines.customer_key
        and days.month_date = baselines.month_date
        and days.flow_kind = baselines.flow_kind
        and days.season = baselines.season
left join positions on days.customer_key = positions.customer_key
left join profiles on days.customer_key = profiles.customer_key
where cast(days.amount as double precision) >= baselines.alert_amount
