-- noqa: disable=LT02
{{ config(tags=['serving']) }}
with profiles as (
    select * from {{ ref('dim_customer') }}
    where is_current
),

positions as (
    select * from {{ ref('int_customer__position_today') }}
),

accounts as (
    select
        customer_key,
        count(*) as open_account_count,
        count(distinct product_family) as product_family_count
    from {{ ref('dim_account') }}
    where status <> 'closed' and customer_key is not null
    group by customer_key
),

managers as (
    select
        customer_key,
        min(rm_id) as rm_id
    from {{ ref('rm_assignment') }}
    where is_current
    group by customer_key
),

scores as (
    select
        customer_key,
        min(as_of_date) as oldest_score_date,
        {%- for entry in score_tasks() %}
        max(case when task = '{{ entry.task }}' then score end) as {{ entry.task }}_{{ entry.measure }},
        max(case when task = '{{ entry.task }}' then band end) as {{ entry.task }}_band{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ ref('int_score__latest') }}
    group by customer_key
)

select
    positions.customer_key,
    positions.as_of_date,
    ---------- profile
    profiles.party_type,
    profiles.gender,
    profiles.birth_year,
    profiles.city,
    profiles.occupation,
    profiles.monthly_income_amount,
    profiles.risk_rating,
    profiles.home_branch_code,
    profiles.opened_date,
    coarse.age_band,
    coarse.opened_period,
    profiles.is_marketing_opt_out,
    profiles.party_count,
    profiles.completeness_rate,
    managers.rm_id,
    segments.segment_id,
    segments.segment_name_en,
    segments.segment_name_zh,
    ---------- holdings
    positions.first_opened_date,
    cast(coalesce(accounts.open_account_count, 0) as bigint) as open_account_count,
    cast(coalesce(accounts.product_family_count, 0) as bigint) as product_family_count,
    positions.asset_count,
    positions.deposit_amount,
    positions.investment_amount,
    positions.aum_amount,
    positions.average_aum_3m_amount,
    positions.contribution_3m_amount,
    lifetimes.lifetime_value_amount,
    cast('{{ var("currency") }}' as varchar) as currency,
    positions.star_tier,
    positions.reached_star_tier,
    positions.current_star_tier,
    positions.next_tier_gap_amount,
    positions.lower_tier_margin_amount,
    positions.life_cycle_stage,
    positions.life_cycle_reason,
    positions.loan_count,
    positions.loan_amount,
    positions.days_past_due,
    ---------- activity
    {%- for channel in var('channels') %}{% for days in [30, 90, 180] %}
    positions.{{ channel }}_count_{{ days }}d,
    {%- endfor %}{% endfor %}
    positions.last_activity_date,
    ---------- scores
    scores.oldest_score_date,
    {%- for entry in score_tasks() %}
    scores.{{ entry.task }}_{{ entry.measure }},
    scores.{{ entry.task }}_band{{ ',' if not loop.last }}
    {%- endfor %}
from positions
inner join profiles on positions.customer_key = profiles.customer_key
left join {{ ref('int_customer__coarse_profiles') }} as coarse on positions.customer_key = coarse.customer_key
left join accounts on positions.customer_key = accounts.customer_key
left join managers on positions.customer_key = managers.customer_key
left join {{ ref('customer_lifetime_value') }} as lifetimes on positions.customer_key = lifetimes.customer_key
left join {{ ref('customer_segments') }} as segments on positions.customer_key = segments.customer_key
left join scores on positions.customer_key = scores.customer_key
