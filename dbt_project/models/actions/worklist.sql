{{ config(tags=['serving']) }}
-- Every list in one, without what fell below a branch's cut: it is neither to be done nor forbidden.
{%- set today = date_literal(var('business_date')) %}
with listed as (

    select
        'outflow_actions' as source,
        action_id,
        customer_key,
        business_date,
        action_en,
        action_zh,
        reason_en,
        reason_zh,
        cast(null as double precision) as probability,
        'fact' as basis,
        cast(amount as decimal(38, 2)) as amount_at_stake,
        cast(expected_value_amount as decimal(38, 2)) as expected_amount,
        case when is_serious then 'high' else 'normal' end as urgency,
        channel,
        owner,
        rm_id,
        branch_code,
        valid_until as due_date,
        is_allowed,
        block_reason,
        arm,
        is_handed_out
    from {{ ref('outflow_actions') }}
    where valid_until >= {{ today }}

    union all

    select
        'early_warning' as source,
        action_id,
        customer_key,
        business_date,
        action_en,
        action_zh,
        reason_en,
        reason_zh,
        probability,
        case when main_trigger is null then 'score' else 'fact' end as basis,
        outstanding_amount as amount_at_stake,
        expected_loss_amount as expected_amount,
        case when band = 'red' then 'high' else 'normal' end as urgency,
        channel,
        owner,
        rm_id,
        branch_code,
        valid_until as due_date,
        is_allowed,
        block_reason,
        case when is_allowed then 'treatment' end as arm,
        is_allowed as is_handed_out
    from {{ ref('early_warning') }}

    union all

    select
        'collections' as source,
        action_id,
        customer_key,
        business_date,
        action_en,
        action_zh,
        reason_en,
        reason_zh,
        null as probability,
        'fact' as basis,
        unpaid_amount as amount_at_stake,
        null as expected_amount,
        case when is_written_off then 'normal' else 'high' end as urgency,
        channel,
        owner,
        rm_id,
        branch_code,
        valid_until as due_date,
        is_allowed,
        block_reason,
        case when is_allowed then 'treatment' end as arm,
        is_handed_out
    from {{ ref('collections') }}

    union all

    select
        'retention' as source,
        action_id,
        customer_key,
        business_date,
        action_en,
        action_zh,
        reason_en,
        reason_zh,
        probability,
        'score' as basis,
        assets_at_risk_amount as amount_at_stake,
        expected_value_amount as expected_amount,
        'normal' as urgency,
        channel,
        owner,
        rm_id,
        branch_code,
        valid_until as due_date,
        is_allowed,
        block_reason,
        arm,
        is_handed_out
    from {{ ref('retention') }}
    where arm is not null or not is_allowed

    union all

    select
        'next_best_offer' as source,
        action_id,
        customer_key,
        business_date,
        action_en,
        action_zh,
        reason_en,
        reason_zh,
        probability,
        'score' as basis,
        amount as amount_at_stake,
        expected_value_amount as expected_amount,
        'normal' as urgency,
        channel,
        owner,
        rm_id,
        branch_code,
        valid_until as due_date,
        is_allowed,
        block_reason,
        arm,
        is_handed_out
    from {{ ref('next_best_offer') }}
    where arm is not null or not is_allowed

    union all

    select
        'lead_calls' as source,
        action_id,
        customer_key,
        business_date,
        action_en,
        action_zh,
        reason_en,
        reason_zh,
        probability,
        basis,
        null as amount_at_stake,
        null as expected_amount,
        'normal' as urgency,
        channel,
        owner,
        rm_id,
        branch_code,
        valid_until as due_date,
        is_allowed,
        block_reason,
        arm,
        is_handed_out
    from {{ ref('lead_calls') }}
    where coalesce(block_reason, '') <> 'is a customer'

),

reports as (

    select * from {{ ref('int_action__reports') }}

),

priorities as (

    select * from {{ ref('worklist_priorities') }}

)

select
    cast(listed.action_id as varchar) as action_id,
    cast(listed.customer_key as varchar) as customer_key,
    {{ today }} as business_date,
    cast(listed.source as varchar) as source,
    cast(listed.urgency as varchar) as urgency,
    priorities.priority,
    cast(listed.action_en as varchar) as action_en,
    cast(listed.action_zh as varchar) as action_zh,
    cast(listed.reason_en as varchar) as reason_en,
    cast(listed.reason_zh as varchar) as reason_zh,
    cast(listed.probability as double precision) as probability,
    cast(listed.basis as varchar) as basis,
    cast(listed.amount_at_stake as decimal(38, 2)) as amount_at_stake,
    cast(listed.expected_amount as decimal(38, 2)) as expected_amount,
    listed.is_allowed,
    cast(listed.block_reason as varchar) as block_reason,
    cast(listed.channel as varchar) as channel,
    cast(listed.owner as varchar) as owner,
    cast(listed.rm_id as varchar) as rm_id,
    cast(listed.branch_code as varchar) as branch_code,
    cast(listed.due_date as date) as due_date,
    cast(listed.arm as varchar) as arm,
    listed.is_handed_out,
    cast(coalesce(reports.action_state, 'open') as varchar) as action_state,
    reports.reported_date
from listed
left join priorities on listed.source = priorities.source and listed.urgency = priorities.urgency
left join reports
    on listed.customer_key = reports.customer_key
        and listed.source = reports.action_kind
        and (listed.source <> 'outflow_actions' or reports.action_date >= listed.business_date)
