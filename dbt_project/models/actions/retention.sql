-- noqa: disable=LT02
{{ config(tags=['serving']) }}
-- The list of a branch counts the control group, so that both arms are equally well chosen; only the others are handed
-- out.
{%- set today = date_literal(var('business_date')) %}
with scores as (

    select * from {{ ref('churn_latest') }}
    where band in ('high', 'medium')

),

positions as (

    select * from {{ ref('int_customer__position_today') }}

),

uplifts as (

    select * from {{ ref('uplift_retention_latest') }}

),

policy as (

    select * from {{ ref('contact_policy') }}

),

occupied as (

    select customer_key from {{ ref('outflow_actions') }}
    where valid_until >= {{ today }} and arm is not null

    union

    select customer_key from {{ ref('early_warning') }}

),

sentences as (

    select
        customer_key,
        reason_en,
        reason_zh
    from {{ ref('customer_scores') }}
    where task = 'churn'

),

valued as (

    select
        scores.*,
        policy.is_control,
        case
            when policy.is_allowed and occupied.customer_key is not null then 'other action'
            else policy.block_reason
        end as block_reason,
        policy.talk_channel,
        policy.owner,
        policy.rm_id,
        policy.branch_code,
        positions.aum_amount,
        case
            when uplifts.uplift is null then {{ limit('contact_limits', 'call_effect_rate') }}
            when uplifts.uplift > 0 then least(uplifts.uplift / scores.probability, 1)
            else 0
        end as effect_rate,
        -- what a year of the assets brings, as a share of them; at most a twentieth
        least(
            cast(4 * positions.asset_margin_3m_amount as double precision)
            / cast(positions.average_aum_3m_amount as double precision), 0.05
        )
            as margin_rate
    from scores
    inner join policy on scores.customer_key = policy.customer_key
    inner join positions on scores.customer_key = positions.customer_key
    left join occupied on scores.customer_key = occupied.customer_key
    left join uplifts on scores.customer_key = uplifts.customer_key and scores.as_of_date = uplifts.as_of_date
    where positions.aum_amount > 0 and positions.average_aum_3m_amount > 0

),

priced as (

    select
        valued.*,
        cast(
            {{ whole_cents('cast(aum_amount as double precision) * probability') }} as decimal(38, 2)
        ) as assets_at_risk_amount,
        cast(aum_amount * probability * effect_rate * margin_rate as decimal(18, 2)) as expected_value_amount
    from valued

),

ranked as (

    select
        priced.*,
        case
            when block_reason is null
                then row_number() over (
                        partition by branch_code, block_reason order by expected_value_amount desc, customer_key
                    )
        end as branch_rank
    from priced
    where expected_value_amount > {{ limit('contact_limits', 'call_cost_amount') }}

),

listed as (

    select
        ranked.*,
        coalesce(branch_rank <= {{ limit('contact_limits', 'retention_per_branch') }}, false) as is_listed
    from ranked

)

select
    cast('retention:' || listed.customer_key || ':{{ var("business_date") }}' as varchar) as action_id,
    cast(listed.customer_key as varchar) as customer_key,
    {{ today }} as business_date,
    cast(actions.action_en as varchar) as action_en,
    cast(actions.action_zh as varchar) as action_zh,
    cast(coalesce(sentences.reason_en, 'likely by all that is known') as varchar) as reason_en,
    cast(coalesce(sentences.reason_zh, '综合判断离行可能性较高') as varchar) as reason_zh,
    listed.probability,
    cast(listed.aum_amount as decimal(38, 2)) as aum_amount,
    listed.assets_at_risk_amount,
    cast(listed.effect_rate as double precision) as effect_rate,
    cast(listed.margin_rate as double precision) as margin_rate,
    listed.expected_value_amount,
    cast(listed.talk_channel as varchar) as channel,
    cast(listed.owner as varchar) as owner,
    cast(listed.rm_id as varchar) as rm_id,
    cast(listed.branch_code as varchar) as branch_code,
    {{ days_before(today, -14) }} as valid_until,
    listed.block_reason is null as is_allowed,
    cast(listed.block_reason as varchar) as block_reason,
    listed.is_control,
    cast(listed.branch_rank as bigint) as branch_rank,
    cast(case when listed.is_listed then case when listed.is_control then 'control' else 'treatment' end end as varchar)
        as arm,
    listed.is_listed and not listed.is_control as is_handed_out
from listed
left join sentences on listed.customer_key = sentences.customer_key
left join {{ ref('action_phrases') }} as actions on actions.action = 'keep' and listed.talk_channel = actions.channel
