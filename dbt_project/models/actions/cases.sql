{{ config(tags=['serving']) }}
-- Grain: case. What people have worked on, and what calls for it today: one open case per kind and subject.
{%- set today = date_literal(var('business_date')) %}
with events as (

    select * from {{ ref('case_events') }}
    where is_counted

),

warnings as (

    select * from {{ ref('case_warnings') }}

),

kinds as (

    select * from {{ ref('case_kinds') }}

),

links as (

    select * from {{ ref('int_party__customers') }}

),

policies as (

    select * from {{ ref('contact_policy') }}

),

told as (

    select
        case_id,
        case_kind,
        subject_key,
        case_number,
        coalesce(min(opened_date), min(business_date)) as opened_date,
        max(amount) as amount_at_risk,
        max(evidence_en) as evidence_en,
        max(evidence_zh) as evidence_zh,
        max(branch_code) as branch_code,
        max(business_date) as last_event_date,
        sum(case when event_kind = 'step' then 1 else 0 end) as step_count,
        max(event_number) as last_number,
        max(case when event_kind = 'handed_over' then event_number end) as handed_number,
        max(case when event_kind in ('handed_over', 'step') and due_date is not null then event_number end)
            as due_number,
        max(case when event_kind = 'proposed' then event_number end) as proposed_number,
        max(case when event_kind in ('signed', 'returned') then event_number else 0 end) as decided_number
    from events
    group by case_id, case_kind, subject_key, case_number

),

recorded as (

    select
        told.*,
        coalesce(links.customer_key, told.subject_key) as today_key,
        last_events.next_state as state,
        handed.handed_to as owner,
        due.due_date,
        proposed.outcome,
        proposed.done_by as proposed_by,
        proposed.quiet_days,
        last_events.next_state <> 'closed'
        and coalesce(told.proposed_number > told.decided_number, false) as is_to_sign,
        case when last_events.next_state = 'closed' then last_events.business_date end as closed_date,
        case when last_events.next_state = 'closed' and last_events.event_kind = 'signed' then last_events.done_by end
            as signed_by
    from told
    inner join events as last_events
        on told.case_id = last_events.case_id and told.last_number = last_events.event_number
    left join events as handed on told.case_id = handed.case_id and told.handed_number = handed.event_number
    left join events as due on told.case_id = due.case_id and told.due_number = due.event_number
    left join events as proposed on told.case_id = proposed.case_id and told.proposed_number = proposed.event_number
    left join links on told.subject_key = links.party_key

),

-- per kind and subject: the cases that people have worked on
earlier as (

    select
        case_kind,
        subject_key,
        max(case_number) as case_number
    from recorded
    group by case_kind, subject_key

),

-- what was closed is opened again by what came since, or when it still holds after the quiet days of its outcome
blocking as (

    select
        recorded.case_kind,
        recorded.today_key,
        max(recorded.closed_date) as closed_date,
        max(
            case
                when recorded.state <> 'closed' then 1
                when warnings.trigger_date >= recorded.closed_date then 0
                when {{ days_between('recorded.closed_date', today) }} < recorded.quiet_days then 1
                else 0
            end
        ) = 1 as is_blocked
    from recorded
    inner join warnings on recorded.case_kind = warnings.case_kind and recorded.today_key = warnings.subject_key
    group by recorded.case_kind, recorded.today_key

),

news as (

    select
        warnings.*,
        1 + coalesce(earlier.case_number, 0) as case_number,
        greatest(warnings.first_date, blocking.closed_date) as opened_date
    from warnings
    left join earlier on warnings.case_kind = earlier.case_kind and warnings.subject_key = earlier.subject_key
    left join blocking on warnings.case_kind = blocking.case_kind and warnings.subject_key = blocking.today_key
    where not coalesce(blocking.is_blocked, false)

),

cases as (

    select
        recorded.case_id,
        recorded.case_kind,
        recorded.today_key as subject_key,
        recorded.case_number,
        true as is_recorded,
        recorded.state,
        recorded.is_to_sign,
        recorded.owner,
        recorded.branch_code,
        recorded.opened_date,
        recorded.due_date,
        recorded.closed_date,
        recorded.outcome,
        recorded.proposed_by,
        recorded.signed_by,
        coalesce(case when recorded.state <> 'closed' then warnings.amount_at_risk end, recorded.amount_at_risk)
            as amount_at_risk,
        coalesce(recorded.evidence_en, case when recorded.state <> 'closed' then warnings.evidence_en end)
            as evidence_en,
        coalesce(recorded.evidence_zh, case when recorded.state <> 'closed' then warnings.evidence_zh end)
            as evidence_zh,
        case when recorded.state <> 'closed' then warnings.evidence_en end as current_evidence_en,
        case when recorded.state <> 'closed' then warnings.evidence_zh end as current_evidence_zh,
        warnings.case_kind is not null and recorded.state <> 'closed' as is_warned,
        recorded.step_count,
        recorded.last_event_date
    from recorded
    left join warnings on recorded.case_kind = warnings.case_kind and recorded.today_key = warnings.subject_key

    union all

    select
        case_kind || ':' || subject_key || ':' || cast(case_number as varchar) as case_id,
        case_kind,
        subject_key,
        case_number,
        false as is_recorded,
        'open' as state,
        false as is_to_sign,
        null as owner,
        branch_code,
        opened_date,
        null as due_date,
        null as closed_date,
        null as outcome,
        null as proposed_by,
        null as signed_by,
        amount_at_risk,
        evidence_en,
        evidence_zh,
        evidence_en as current_evidence_en,
        evidence_zh as current_evidence_zh,
        true as is_warned,
        0 as step_count,
        null as last_event_date
    from news

)

select
    cast(cases.case_id as varchar) as case_id,
    cast(cases.case_kind as varchar) as case_kind,
    cast(kinds.subject_kind as varchar) as subject_kind,
    cast(cases.subject_key as varchar) as subject_key,
    cast(case when kinds.subject_kind = 'customer' then cases.subject_key end as varchar) as customer_key,
    cast(cases.case_number as integer) as case_number,
    {{ today }} as business_date,
    cases.is_recorded,
    cast(case when cases.is_to_sign then 'waiting' else cases.state end as varchar) as state,
    cases.is_to_sign,
    cases.is_warned,
    cast(cases.owner as varchar) as owner,
    cast(kinds.owner_unit as varchar) as owner_unit,
    cast(policies.rm_id as varchar) as rm_id,
    cast(coalesce(policies.branch_code, cases.branch_code) as varchar) as branch_code,
    cases.opened_date,
    cast(
        coalesce(cases.due_date, {{ dbt.dateadd('day', 'kinds.due_days', 'cases.opened_date') }}) as date
    ) as due_date,
    cases.closed_date,
    cast(cases.outcome as varchar) as outcome,
    cast(cases.proposed_by as varchar) as proposed_by,
    cast(cases.signed_by as varchar) as signed_by,
    cast(cases.amount_at_risk as decimal(38, 2)) as amount_at_risk,
    cast(cases.evidence_en as varchar) as evidence_en,
    cast(cases.evidence_zh as varchar) as evidence_zh,
    cast(cases.current_evidence_en as varchar) as current_evidence_en,
    cast(cases.current_evidence_zh as varchar) as current_evidence_zh,
    cast(cases.step_count as bigint) as step_count,
    cases.last_event_date
from cases
inner join kinds on cases.case_kind = kinds.case_kind
left join policies on kinds.subject_kind = 'customer' and cases.subject_key = policies.customer_key
