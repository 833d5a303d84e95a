with days as (

    select
        *,
        cast(date_trunc('month', business_date) as date) as month_date
    from {{ ref('int_money__outflow_days') }}
    where business_date > {{ days_before(date_literal(var('business_date')), 28) }}

),

profiles as (

    select * from {{ ref('dim_customer') }}
    where is_current

),

judged as (

    select
        days.customer_key,
        days.business_date,
        days.flow_kind,
        days.season,
        days.amount,
        days.lent_amount,
        assets.assets_before_amount,
        payees.amount as payee_amount,
        baselines.usual_amount,
        (ln(cast(days.amount as double precision)) - baselines.center) / baselines.spread as robust_z,
        assets.star_tier,
        profiles.home_branch_code as branch_code,
        coalesce(cast(days.amount as double precision) >= baselines.alert_amount, false) as is_unusual,
        coalesce(
            days.amount >= limits.share_minimum_amount
            and days.amount >= limits.share_rate * assets.assets_before_amount, false
        ) as is_large_share,
        coalesce(days.amount >= limits.sum_amount, false) as is_large_sum,
        coalesce(
            payees.amount >= limits.payee_amount
            and payees.amount >= limits.payee_rate * assets.assets_before_amount, false
        ) as is_new_payee,
        {{ is_large_outflow('(days.amount - days.lent_amount)') }} as is_serious
    from days
    inner join {{ ref('int_money__outflow_assets') }} as assets
        on days.customer_key = assets.customer_key and days.business_date = assets.business_date
    inner join {{ ref('outflow_limits') }} as limits
        on days.flow_kind = limits.flow_kind and assets.star_tier = limits.star_tier
    left join {{ ref('outflow_baselines') }} as baselines
        on days.customer_key = baselines.customer_key
            and days.month_date = baselines.month_date
            and days.flow_kind = baselines.flow_kind
            and days.season = baselines.season
    left join {{ ref('outflow_new_payees') }} as payees
        on days.customer_key = payees.customer_key
            and days.business_date = payees.business_date
            and days.flow_kind = payees.flow_kind
    left join profiles on days.customer_key = profiles.customer_key

)

select
    customer_key,
    business_date,
    cast(flow_kind as varchar) as flow_kind,
    cast(season as varchar) as season,
    amount,
    lent_amount,
    assets_before_amount,
    {{ share_of('amount', 'case when assets_before_amount > 0 then assets_before_amount end') }} as asset_share,
    payee_amount,
    usual_amount,
    robust_z,
    is_unusual,
    is_large_share,
    is_large_sum,
    is_new_payee,
    is_serious,
    star_tier,
    branch_code
from judged
where is_unusual or is_large_share or is_large_sum or is_new_payee
