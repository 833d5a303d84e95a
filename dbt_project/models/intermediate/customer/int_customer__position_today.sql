-- noqa: disable=LT02
-- Grain: customer, at the business date: money, tier, stage, and what happened over each channel in 30, 90 and 180
-- days.
with positions as (

    select * from {{ ref('int_customer__positions_monthly') }}
    where as_of_date = {{ date_literal(var('business_date')) }}

),

thresholds as (

    select
        star_tier,
        minimum_average_aum_amount,
        lead(minimum_average_aum_amount) over (order by star_tier) as next_minimum_amount
    from {{ ref('tier_thresholds') }}
    where currency = '{{ var("currency") }}'

),

links as (

    select * from {{ ref('int_party__customers') }}

),

loans as (

    select
        links.customer_key,
        sum(loan_positions.outstanding_amount) as loan_amount,
        sum(case when loan_positions.status in ('running', 'in_arrears') then 1 else 0 end) as loan_count,
        max(loan_positions.days_past_due) as days_past_due
    from {{ ref('int_loan__positions') }} as loan_positions
    inner join links on loan_positions.party_key = links.party_key
    group by links.customer_key

),

touches as (

    select
        links.customer_key,
        touches.channel,
        touches.business_date > {{ days_before(date_literal(var('business_date')), 30) }} as is_last_30d,
        touches.business_date > {{ days_before(date_literal(var('business_date')), 90) }} as is_last_90d
    from {{ ref('int_activity__touches') }} as touches
    inner join links on touches.party_key = links.party_key
    where touches.business_date > {{ days_before(date_literal(var('business_date')), 180) }}
        and touches.business_date <= {{ date_literal(var('business_date')) }}

),

counts as (

    select
        customer_key,
        {% for channel in var('channels') -%}
        sum(case when channel = '{{ channel }}' and is_last_30d then 1 else 0 end) as {{ channel }}_count_30d,
        sum(case when channel = '{{ channel }}' and is_last_90d then 1 else 0 end) as {{ channel }}_count_90d,
        sum(case when channel = '{{ channel }}' then 1 else 0 end) as {{ channel }}_count_180d{{ ',' if not loop.last }}
        {% endfor %}
    from touches
    group by customer_key

)

select
    positions.customer_key,
    positions.as_of_date,
    positions.first_opened_date,
    positions.deposit_amount,
    positions.investment_amount,
    positions.aum_amount,
    positions.average_aum_3m_amount,
    positions.contribution_3m_amount,
    positions.asset_margin_3m_amount,
    positions.star_tier,
    positions.reached_star_tier,
    coalesce(tiers_now.star_tier, 1) as current_star_tier,
    cast(thresholds.next_minimum_amount - positions.average_aum_3m_amount as decimal(38, 2)) as next_tier_gap_amount,
    cast(positions.average_aum_3m_amount - thresholds.minimum_average_aum_amount as decimal(38, 2))
        as lower_tier_margin_amount,
    positions.life_cycle_stage,
    positions.life_cycle_reason,
    positions.asset_count,
    cast(coalesce(loans.loan_amount, 0) as decimal(38, 2)) as loan_amount,
    cast(coalesce(loans.loan_count, 0) as bigint) as loan_count,
    cast(coalesce(loans.days_past_due, 0) as integer) as days_past_due,
    {% for channel in var('channels') -%}
    {% for days in [30, 90, 180] -%}
    cast(coalesce(counts.{{ channel }}_count_{{ days }}d, 0) as bigint) as {{ channel }}_count_{{ days }}d,
    {% endfor -%}
    {% endfor -%}
    positions.last_activity_date
from positions
left join thresholds on positions.star_tier = thresholds.star_tier
left join thresholds as tiers_now
    on positions.aum_amount >= tiers_now.minimum_average_aum_amount
        and (positions.aum_amount < tiers_now.next_minimum_amount or tiers_now.next_minimum_amount is null)
left join loans on positions.customer_key = loans.customer_key
left join counts on positions.customer_key = counts.customer_key
