{{ config(materialized='ephemeral') }}
{%- set last = date_literal(var('business_date')) %}
-- Grain: customer, kind and date: log-ins that fell, by whole months; a branch visit after a year online.
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

visits as (

    select
        links.customer_key,
        min(visits.business_date) as visit_date
    from {{ ref('fct_branch_visits') }} as visits
    inner join links on visits.party_key = links.party_key
    where visits.business_date > {{ change_lookback() }} and visits.business_date <= {{ last }}
    group by links.customer_key, date_trunc('month', visits.business_date)

),

visits_after_app as (

    select
        visits.customer_key,
        visits.visit_date,
        limits.segment,
        sum(months.app_count + months.web_count) as online_count
    from visits
    inner join limits on visits.customer_key = limits.customer_key and limits.change_kind = 'branch_after_app'
    inner join months
        on visits.customer_key = months.customer_key
            and months.as_of_date < cast(date_trunc('month', visits.visit_date) as date)
            and {{ days_between('months.as_of_date', 'visits.visit_date') }} <= limits.days
    group by visits.customer_key, visits.visit_date, limits.segment, limits.days, limits.minimum_count
    having sum(months.branch_count) = 0
        and sum(case when months.app_count + months.web_count > 0 then 1 else 0 end) >= limits.minimum_count
        and 31 * (count(*) + 1) >= limits.days

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
