{{ config(tags=['serving']) }}
-- The list of a branch counts the control group, so that both arms are equally well chosen; only the others are handed
-- out.
{%- set today = date_literal(var('business_date')) %}
with recommendations as (

    select * from {{ ref('product_recommendations') }}
    where rank = 1

),

policy as (

    select * from {{ ref('contact_policy') }}

),

occupied as (

    select customer_key from {{ ref('outflow_actions') }}
    where valid_until >= {{ today }} and arm is not null

    union

    select customer_key from {{ ref('retention') }}
    where arm is not null

    union

    select customer_key from {{ ref('early_warning') }}

),

withheld as (

    select distinct task from {{ ref('int_score__findings') }}
    where state = 'withheld'

),

offers as (

    select
        recommendations.*,
        policy.is_control,
        case
            when policy.is_allowed and withheld.task is not null then 'unfair score'
            when policy.is_allowed and occupied.customer_key is not null then 'other action'
            else policy.block_reason
        end as block_reason,
        policy.preferred_channel,
        policy.owner,
        policy.rm_id,
        policy.branch_code
    from recommendations
    inner join policy on recommendations.customer_key = policy.customer_key
    left join withheld on 'propensity_' || recommendations.product_line = withheld.task
    left join occupied on recommendations.customer_key = occupied.customer_key
    where recommendations.expected_value_amount > 0

),

ranked as (

    select
        offers.*,
        case
            when block_reason is null
                then row_number() over (
                        partition by branch_code, block_reason order by expected_value_amount desc, customer_key
                    )
        end as branch_rank
    from offers

),

listed as (

    select
        ranked.*,
        coalesce(branch_rank <= {{ limit('contact_limits', 'offers_per_branch') }}, false) as is_listed
    from ranked

)

select
    cast('next_best_offer:' || customer_key || ':{{ var("business_date") }}' as varchar) as action_id,
    customer_key,
    {{ today }} as business_date,
    product_code,
    product_line,
    amount,
    cast('Offer ' || product_name || ', up to {{ var("currency") }} ' || {{ thousands('amount') }} as varchar)
        as action_en,
    cast('推荐' || product_name || '，可投资金额约 ' || {{ thousands('amount') }} || ' {{ var("currency") }}' as varchar)
        as action_zh,
    reason_en,
    reason_zh,
    probability,
    new_margin_amount,
    replaced_margin_amount,
    kept_margin_amount,
    expected_value_amount,
    is_retention,
    cast(preferred_channel as varchar) as channel,
    cast(owner as varchar) as owner,
    cast(rm_id as varchar) as rm_id,
    cast(branch_code as varchar) as branch_code,
    {{ days_before(today, -14) }} as valid_until,
    block_reason is null as is_allowed,
    cast(block_reason as varchar) as block_reason,
    is_control,
    cast(branch_rank as bigint) as branch_rank,
    cast(case when is_listed then case when is_control then 'control' else 'treatment' end end as varchar) as arm,
    is_listed and not is_control as is_handed_out
from listed
