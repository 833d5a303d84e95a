{{ config(tags=['serving']) }}
{%- set today = date_literal(var('business_date')) %}

with watched as (
    select * from {{ ref('credit_watch') }}
    where band <> 'green'
),

triggers as (
    select customer_key, credit_trigger from {{ ref('credit_triggers') }}
),

steps as (
    select * from {{ ref('credit_steps') }}
),

withheld as (
    select distinct task from {{ ref('int_score__findings') }}
    where state = 'withheld'
),

taken as (
    select
        watched.*,
        -- what a fact speaks for stands without the score
        watched.main_trigger is null and (select count(*) from withheld where task = 'credit_warning') > 0
            as is_withheld,
        steps.step,
        steps.action,
        steps.action_en,
        steps.action_zh,
        steps.owner_role,
        steps.valid_days
    from watched
    inner join steps on watched.band = steps.band
    where steps.credit_trigger = '%'
        or exists (
            select 1
            from triggers
            where triggers.customer_key = watched.customer_key and triggers.credit_trigger like steps.credit_trigger
        )
),

-- who looks after the customer, and how they like to talk; not whether marketing may turn to them
policies as (
    select * from {{ ref('contact_policy') }}
)

select
    'early_warning:' || taken.customer_key
    || ':' || cast(taken.as_of_date as varchar) || ':' || cast(taken.step as varchar) as action_id,
    taken.customer_key,
    taken.as_of_date as business_date,
    taken.step,
    taken.action,
    taken.action_en,
    taken.action_zh,
    taken.band,
    taken.main_trigger,
    taken.reason_en,
    taken.reason_zh,
    taken.probability,
    taken.outstanding_amount,
    taken.expected_loss_amount,
    cast(
        case
            when taken.owner_role = 'risk' then 'internal'
            -- money is at stake: a person calls
            when taken.band = 'red' then case when policies.has_phone then 'phone' end
            else policies.preferred_channel
        end as varchar
    ) as channel,
    cast(case when taken.owner_role = 'risk' then 'risk' else coalesce(policies.owner, 'call_centre') end as varchar)
        as owner,
    policies.rm_id,
    policies.branch_code,
    cast({{ dbt.dateadd('day', 'taken.valid_days', today) }} as date) as valid_until,
    not taken.is_withheld
    and case
        when taken.owner_role = 'risk' then true
        when taken.band = 'red' then coalesce(policies.has_phone, false)
        else policies.preferred_channel is not null
    end as is_allowed,
    cast(
        case
            when taken.is_withheld then 'unfair score'
            when taken.owner_role = 'risk' then null
            when taken.band = 'red' and not coalesce(policies.has_phone, false) then 'no phone number'
            when taken.band <> 'red' and policies.preferred_channel is null then 'unreachable'
        end as varchar
    ) as block_reason
from taken
left join policies on taken.customer_key = policies.customer_key
-- whose debt is being collected is past a warning; nothing is done about somebody who has died
where coalesce(policies.service_block_reason, '') <> 'deceased'
    and (taken.owner_role = 'risk' or coalesce(policies.service_block_reason, '') <> 'in collection')
