-- noqa: disable=LT02
{{ config(materialized='ephemeral') }}
-- Grain: a change of habits or a complaint, and whether visits, events, postings and complaints say the same.
with changes as (

    select * from {{ ref('int_customer__changes_in_words') }}
    where change_kind in ('logins_fell', 'branch_after_app', 'first_complaint')

),

events as (

    select
        party_key,
        business_date,
        case when event_name = 'login' then 'login' else 'online' end as event
    from {{ ref('fct_online_events') }}
    where channel in ('app', 'web')

    union all

    select
        party_key,
        business_date,
        'branch' as event
    from {{ ref('fct_branch_visits') }}

    union all

    select
        party_key,
        business_date,
        case when channel = 'branch' then 'branch' else 'online' end as event
    from {{ ref('fct_transactions') }}
    where channel in ('branch', 'app', 'web')

    union all

    select
        party_key,
        business_date,
        'complaint' as event
    from {{ ref('fct_contacts') }}
    where contact_kind = 'complaint'

    union all

    -- a complaint is a touch, too, of the road that it came on
    select
        party_key,
        business_date,
        case when channel = 'branch' then 'branch' else 'online' end as event
    from {{ ref('fct_contacts') }}
    where contact_kind = 'complaint' and channel in ('branch', 'app', 'web')

),

counted as (

    select
        changes.customer_key,
        changes.change_kind,
        changes.change_detail,
        changes.change_date,
        changes.change_count,
        changes.previous_count,
        sum(
            case
                when events.event = 'login'
                    and date_trunc('month', events.business_date) = date_trunc('month', changes.change_date) then 1
                else 0
            end
        ) as month_login_count,
        sum(
            case
                when events.event = 'login'
                    and events.business_date < cast(date_trunc('month', changes.change_date) as date)
                    and events.business_date
                    >= cast({{ dbt.dateadd('month', -3, "date_trunc('month', changes.change_date)") }} as date) then 1
                else 0
            end
        ) as quarter_login_count,
        sum(
            case
                when events.event in ('login', 'online') and events.business_date < changes.change_date
                    and {{ days_between('events.business_date', 'changes.change_date') }} <= 365 then 1
                else 0
            end
        ) as year_online_count,
        {%- for event in ['branch', 'complaint'] %}
        sum(case when events.event = '{{ event }}' and events.business_date = changes.change_date then 1 else 0 end)
            as day_{{ event }}_count,
        sum(
            case
                when events.event = '{{ event }}' and events.business_date < changes.change_date
                    and {{ days_between('events.business_date', 'changes.change_date') }} <= 365 then 1
                else 0
            end
        ) as year_{{ event }}_count{{ ',' if not loop.last }}
        {%- endfor %}
    from changes
    inner join {{ ref('int_party__customers') }} as links on changes.customer_key = links.customer_key
    inner join events
        on links.party_key = events.party_key and events.business_date <= {{ date_literal(var('business_date')) }}
    where events.business_date > {{ change_lookback(366) }}
    group by
        changes.customer_key,
        changes.change_kind,
        changes.change_detail,
        changes.change_date,
        changes.change_count,
        changes.previous_count

)

select
    customer_key,
    change_kind,
    change_detail,
    change_date,
    case change_kind
        when 'logins_fell'
            then month_login_count = change_count
                and abs(quarter_login_count - 3 * previous_count) <= 1
        when 'branch_after_app'
            then day_branch_count > 0 and year_branch_count = 0 and year_online_count = previous_count
        else day_complaint_count > 0 and year_complaint_count = 0
    end as is_true
from counted
