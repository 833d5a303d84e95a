{{ config(tags=['serving']) }}
-- Grain: event. What was done about a case, in its order, and whether it counts: windows over the events of a case, no
-- state that is carried along.
{%- set in_order = "partition by case_id order by event_number" %}
with told as (

    select
        *,
        row_number() over (
            partition by event_id order by business_date desc, _known_date desc, _delivery desc, _row desc
        ) as recency
    from {{ ref('stg_feedback__case_events') }}
    where business_date <= {{ date_literal(var('business_date')) }}

),

-- c360 tells of each day again what a case was opened for: the first counts
openings as (

    select
        *,
        row_number() over (
            partition by case_id, event_kind order by business_date, opened_date, event_id
        ) as telling
    from told
    where recency = 1

),

numbered as (

    select
        openings.*,
        row_number() over (
            partition by openings.case_id
            order by case when openings.event_kind = 'opened' then 0 else 1 end, openings.happened_at, openings.event_id
        ) as event_number,
        outcomes.needs_signature,
        outcomes.quiet_days,
        outcomes.outcome is not null as is_known_outcome,
        steps.next_state
    from openings
    inner join {{ ref('case_kinds') }} as kinds on openings.case_kind = kinds.case_kind
    left join {{ ref('case_outcomes') }} as outcomes
        on openings.event_kind = 'proposed'
            and openings.case_kind = outcomes.case_kind
            and openings.outcome = outcomes.outcome
    left join {{ ref('case_steps') }} as steps
        on openings.event_kind = 'step'
            and kinds.subject_kind = steps.subject_kind
            and openings.step_kind = steps.step_kind
    where openings.event_kind <> 'opened' or openings.telling = 1

),

-- a signature is of the proposal before it
proposals as (

    select
        *,
        sum(case when event_kind = 'proposed' and is_known_outcome then 1 else 0 end) over (
            {{ in_order }} rows between unbounded preceding and current row
        ) as proposal_number
    from numbered

),

signable as (

    select
        *,
        max(case when event_kind = 'proposed' and needs_signature then lower(trim(done_by)) end) over (
            partition by case_id, proposal_number
        ) as to_sign_of
    from proposals

),

-- the first word of somebody else decides
decided as (

    select
        *,
        row_number() over (
            partition by case_id, proposal_number, is_of_another
            order by event_number
        ) as word
    from (
        select
            *,
            event_kind in ('signed', 'returned') and lower(trim(done_by)) <> to_sign_of as is_of_another
        from signable
    ) as signatures

),

closing as (

    select
        *,
        min(
            case
                when event_kind = 'proposed' and is_known_outcome and not needs_signature then event_number
                when event_kind = 'signed' and is_of_another and word = 1 then event_number
            end
        ) over (partition by case_id) as closing_number
    from decided

),

judged as (

    select
        *,
        case
            when event_number > closing_number then 'closed'
            when event_kind = 'step' and next_state is null then 'no such step'
            when event_kind = 'proposed' and not is_known_outcome then 'no such outcome'
            when event_kind = 'handed_over' and handed_to is null then 'nobody named'
            when event_kind in ('signed', 'returned') and to_sign_of is null then 'nothing to sign'
            when event_kind in ('signed', 'returned') and lower(trim(done_by)) = to_sign_of then 'same person'
            when event_kind in ('signed', 'returned') and word > 1 then 'nothing to sign'
        end as block_reason
    from closing

)

select
    cast(event_id as varchar) as event_id,
    cast(case_id as varchar) as case_id,
    event_number,
    cast(case_kind as varchar) as case_kind,
    cast(subject_key as varchar) as subject_key,
    case_number,
    business_date,
    happened_at,
    cast(event_kind as varchar) as event_kind,
    cast(done_by as varchar) as done_by,
    cast(handed_to as varchar) as handed_to,
    cast(step_kind as varchar) as step_kind,
    cast(outcome as varchar) as outcome,
    due_date,
    cast(case_note as varchar) as case_note,
    opened_date,
    cast(amount as decimal(38, 2)) as amount,
    cast(branch_code as varchar) as branch_code,
    cast(evidence_en as varchar) as evidence_en,
    cast(evidence_zh as varchar) as evidence_zh,
    cast(proposal_number as bigint) as proposal_number,
    needs_signature,
    quiet_days,
    block_reason is null as is_counted,
    cast(block_reason as varchar) as block_reason,
    cast(
        case
            when block_reason is not null then null
            when event_number = closing_number then 'closed'
            when event_kind = 'opened' then 'open'
            when event_kind = 'step' then next_state
            when event_kind = 'proposed' then 'waiting'
            else 'in work'
        end as varchar
    ) as next_state
from judged
