{{ config(materialized='ephemeral') }}
{%- set last = date_literal(var('business_date')) %}
-- Grain: customer, kind and date: log-ins that fell, by whole months; the first time at a branch in a year online.
with links as (

    select * from {{ ref('int_party__customers') }}

),

limits as (

    select * from {{ ref('int_customer__change_limits') }}

),

months as (

    select * from {{ ref('int_customer__positions_monthly') }}
    where as_of_date > {{ change_lookback(366) }}
        and as_of_date = cast({{ dbt.last_day('as_of_date', 'month') }} as date)

),

logins as (

    select
        links.customer_key,
        cast({{ dbt.last_day('events.business_date', 'month') }} as date) as as_of_date,
        count(*) as login_count
    from {{ ref('fct_online_events') }} as events
    inner join links on events.party_key = links.party_key
    where events.event_name = 'login'
        and events.business_date > {{ change_lookback(124) }}
        and events.business_date <= {{ last }}
    group by links.customer_key, cast({{ dbt.last_day('events.business_date', 'month') }} as date)

),

login_months as (

    select
        now.customer_key,
        now.as_of_date,
        sum(case when logins.as_of_date = now.as_of_date then logins.login_count else 0 end) as login_count,
        sum(case when logins.as_of_date < now.as_of_date then logins.login_count else 0 end) as earlier_count,
        count(case when logins.as_of_date < now.as_of_date then 1 end) as earlier_months
    from months as now
    inner join logins
        on now.customer_key = logins.customer_key
            and logins.as_of_date <= now.as_of_date
            and logins.as_of_date > {{ days_before('now.as_of_date', 95) }}
    where now.as_of_date > {{ change_lookback() }}
    group by now.customer_key, now.as_of_date

),

touches as (

    -- what customers do at the counter, and in app and web, by the day
    select
        links.customer_key,
        touches.business_date,
        case when touches.channel = 'branch' then 'branch' else 'online' end as road,
        count(*) as touch_count
    from {{ ref('int_activity__touches') }} as touches
    inner join links on touches.party_key = links.party_key
    where touches.channel in ('branch', 'app', 'web')
        and touches.is_own
        and touches.business_date > {{ change_lookback(366) }}
        and touches.business_date <= {{ last }}
    group by
        links.customer_key,
        touches.business_date,
        case when touches.channel = 'branch' then 'branch' else 'online' end

),

visits as (

    select
        customer_key,
        business_date as visit_date,
        lag(business_date) over (partition by customer_key order by business_date) as previous_date
    from touches
    where road = 'branch'

),

visits_after_app as (

    select
        visits.customer_key,
        visits.visit_date,
        limits.segment,
        sum(touches.touch_count) as online_count
    from visits
    inner join limits on visits.customer_key = limits.customer_key and limits.change_kind = 'branch_after_app'
    inner join touches
        on visits.customer_key = touches.customer_key
            and touches.road = 'online'
            and touches.business_date < visits.visit_date
            and {{ days_between('touches.business_date', 'visits.visit_date') }} <= limits.days
    inner join (select customer_key, min(as_of_date) as known_date from months group by customer_key) as known
        on visits.customer_key = known.customer_key
    where visits.visit_date > {{ change_lookback() }}
        and (
            visits.previous_date is null
            or {{ days_between('visits.previous_date', 'visits.visit_date') }} > limits.days
        )
        -- of a year there is a month-end to begin with
        and {{ days_between('known.known_date', 'visits.visit_date') }} >= limits.days - 31
    group by visits.customer_key, visits.visit_date, limits.segment, limits.minimum_count
    having count(distinct date_trunc('month', touches.business_date)) >= limits.minimum_count

)

select
    login_months.customer_key,
    'logins_fell' as change_kind,
    'month' as change_detail,
    login_months.as_of_date as change_date,
    limits.segment,
    cast(null as decimal(38, 2)) as amount,
    cast(null as decimal(38, 2)) as previous_amount,
    cast(login_months.login_count as integer) as change_count,
    cast(round(login_months.earlier_count / 3.0) as integer) as previous_count,
    login_months.as_of_date as event_date
from login_months
inner join limits on login_months.customer_key = limits.customer_key and limits.change_kind = 'logins_fell'
where login_months.earlier_months = 3
    and login_months.earlier_count >= 3 * limits.minimum_count
    and 3 * login_months.login_count <= (1 - limits.minimum_rate) * login_months.earlier_count

union all

select
    customer_key,
    'branch_after_app' as change_kind,
    'visit' as change_detail,
    visit_date as change_date,
    segment,
    null as amount,
    null as previous_amount,
    null as change_count,
    cast(online_count as integer) as previous_count,
    visit_date as event_date
from visits_after_app
