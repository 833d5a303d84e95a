{{ config(tags=['serving']) }}
-- Every list in one, without what fell below a branch's cut: it is neither to be done nor forbidden.
{%- set today = date_literal(var('business_date')) %}
{#- What a list adds or says in another way than the others. #}
{%- set treated_if_allowed = "case when is_allowed then 'treatment' end" %}
{%- set lists = [
    {
        'source': 'outflow_actions', 'probability': 'null', 'basis': "'fact'", 'at_stake': 'amount',
        'urgency': "case when is_serious then 'high' else 'normal' end", 'where': 'valid_until >= ' ~ today,
    },
    {
        'source': 'early_warning', 'basis': "case when main_trigger is null then 'score' else 'fact' end",
        'at_stake': 'outstanding_amount', 'expected': 'expected_loss_amount',
        'urgency': "case when band = 'red' then 'high' else 'normal' end",
        'arm': treated_if_allowed, 'is_handed_out': 'is_allowed',
    },
    {
        'source': 'collections', 'probability': 'null', 'basis': "'fact'", 'at_stake': 'unpaid_amount',
        'expected': 'null', 'urgency': "case when is_written_off then 'normal' else 'high' end",
        'arm': treated_if_allowed,
    },
    {'source': 'retention', 'at_stake': 'assets_at_risk_amount', 'where': 'arm is not null or not is_allowed'},
    {'source': 'next_best_offer', 'at_stake': 'amount', 'where': 'arm is not null or not is_allowed'},
    {
        'source': 'lead_calls', 'basis': 'basis', 'at_stake': 'null', 'expected': 'null',
        'where': "coalesce(block_reason, '') <> 'is a customer'",
    },
] %}
with listed as (

    {% for list in lists -%}
    select
        '{{ list.source }}' as source,
        action_id,
        customer_key,
        business_date,
        action_en,
        action_zh,
        reason_en,
        reason_zh,
        cast({{ list.probability or 'probability' }} as double precision) as probability,
        {{ list.basis or "'score'" }} as basis,
        cast({{ list.at_stake }} as decimal(38, 2)) as amount_at_stake,
        cast({{ list.expected or 'expected_value_amount' }} as decimal(38, 2)) as expected_amount,
        {{ list.urgency or "'normal'" }} as urgency,
        channel,
        owner,
        rm_id,
        branch_code,
        valid_until as due_date,
        is_allowed,
        block_reason,
        {{ list.arm or 'arm' }} as arm,
        {{ list.is_handed_out or 'is_handed_out' }} as is_handed_out
    from {{ ref(list.source) }}
    where {{ list.where or 'true' }}
    {{ 'union all ' if not loop.last }}
    {% endfor %}
),

reports as (

    select * from {{ ref('int_action__reports') }}

),

-- who refuses marketing stands here as withheld, with the reason; of who refuses profiling there is nothing to say
refused as (

    select * from {{ ref('int_customer__refused_uses') }}
    where use_kind = 'action' and purpose = 'profiling'

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
    listed.probability,
    cast(listed.basis as varchar) as basis,
    listed.amount_at_stake,
    listed.expected_amount,
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
        -- what was said to a customer does not tell what was done inside the bank
        and coalesce(listed.channel, '') <> 'internal'
        and (listed.source <> 'outflow_actions' or reports.action_date >= listed.business_date)
left join refused on listed.customer_key = refused.customer_key and listed.source = refused.use_name
where refused.customer_key is null
