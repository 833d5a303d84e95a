-- noqa: disable=LT02
{{ config(tags=['serving']) }}
-- Money leaves before customers do: of the deposits, the investments and everything, each customer is listed for what
-- is expected to lose most. The list of a branch counts the control group, so that both arms are equally well chosen;
-- only the others are handed out.
{%- set today = date_literal(var('business_date')) %}
{%- set exposures = {
    'deposit_churn': 'deposit_amount', 'wealth_churn': 'investment_amount', 'churn': 'aum_amount',
} %}
with scores as (

    select * from {{ ref('customer_scores') }}

),

positions as (

    select * from {{ ref('int_customer__position_today') }}

),

exposed as (

    {% for task, amount in exposures.items() -%}
    select
        customer_key,
        '{{ task }}' as task,
        {{ loop.index }} as place,
        {{ amount }} as exposed_amount
    from positions
    where {{ amount }} > 0 and average_aum_3m_amount > 0
    {{ 'union all ' if not loop.last }}
    {% endfor %}
),

risks as (

    select
        exposed.customer_key,
        exposed.task,
        exposed.place,
        exposed.exposed_amount,
        scores.as_of_date,
        scores.task_en,
        scores.task_zh,
        scores.reason_en,
        scores.reason_zh,
        scores.score as probability,
        cast(
            {{ whole_cents('cast(exposed.exposed_amount as double precision) * scores.score') }} as decimal(38, 2)
        ) as assets_at_risk_amount
    from exposed
    inner join scores on exposed.customer_key = scores.customer_key and exposed.task = scores.task
    where scores.band in ('high', 'medium')

),

largest as (

    select * from (
        select
            risks.*,
            row_number() over (partition by customer_key order by assets_at_risk_amount desc, place) as size_rank
        from risks
    ) as sized
    where size_rank = 1

),

-- The part of the risk of leaving that a contact takes away.
uplifts as (

    select
        uplifts.customer_key,
        uplifts.as_of_date,
        case when uplifts.uplift > 0 then least(uplifts.uplift / scores.score, 1) else 0 end as effect_rate
    from {{ ref('uplift_retention_latest') }} as uplifts
    inner join scores
        on uplifts.customer_key = scores.customer_key
            and uplifts.as_of_date = scores.as_of_date
            and scores.task = 'churn'

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

withheld as (

    select distinct task from {{ ref('int_score__findings') }}
    where state = 'withheld'

),

valued as (

    select
        largest.*,
        policy.is_control,
        case
            when policy.is_allowed and withheld.task is not null then 'unfair score'
            when policy.is_allowed and occupied.customer_key is not null then 'other action'
            else policy.block_reason
        end as block_reason,
        policy.talk_channel,
        policy.owner,
        policy.rm_id,
        policy.branch_code,
        positions.aum_amount,
        coalesce(uplifts.effect_rate, {{ limit('contact_limits', 'call_effect_rate') }}) as effect_rate,
        -- what a year of the assets brings, as a share of them; at most a twentieth
        least(
            cast(4 * positions.asset_margin_3m_amount as double precision)
            / cast(positions.average_aum_3m_amount as double precision), 0.05
        )
            as margin_rate
    from largest
    inner join policy on largest.customer_key = policy.customer_key
    inner join positions on largest.customer_key = positions.customer_key
    left join withheld on largest.task = withheld.task
    left join occupied on largest.customer_key = occupied.customer_key
    left join uplifts on largest.customer_key = uplifts.customer_key and largest.as_of_date = uplifts.as_of_date

),

priced as (

    select
        valued.*,
        cast(exposed_amount * probability * effect_rate * margin_rate as decimal(18, 2)) as expected_value_amount
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
    cast(listed.task_en || ': ' || coalesce(listed.reason_en, 'likely by all that is known') as varchar) as reason_en,
    cast(listed.task_zh || '：' || coalesce(listed.reason_zh, '综合判断可能性较高') as varchar) as reason_zh,
    cast(listed.task as varchar) as task,
    listed.probability,
    cast(listed.aum_amount as decimal(38, 2)) as aum_amount,
    cast(listed.exposed_amount as decimal(38, 2)) as exposed_amount,
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
left join {{ ref('action_phrases') }} as actions on actions.action = 'keep' and listed.talk_channel = actions.channel
