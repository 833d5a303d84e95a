{{ config(materialized='ephemeral') }}
{%- set last = date_literal(var('business_date')) %}
{%- set two_gaps = days_between('pay_days.third_last_date', 'pay_days.business_date') %}
{%- set usual_days = 'greatest(31, cast(round(' ~ two_gaps ~ ' / 2.0) as integer)) + limits.days' %}
-- Grain: customer, kind of income and day on which it was due: a salary or pension that no longer arrives, though the
-- customer still had an account that it could go to.
with accounts as (

    select * from {{ ref('int_account__accounts') }}

),

limits as (

    select * from {{ ref('int_customer__change_limits') }}
    where change_kind = 'income_stopped'

),

incomes as (

    select
        accounts.customer_key,
        flows.counterparty_class,
        flows.business_date,
        sum(flows.amount) as amount
    from {{ ref('account_flow_daily') }} as flows
    inner join accounts on flows.account_no_token = accounts.account_no_token
    where flows.business_date > {{ change_lookback(200) }}
        and flows.business_date <= {{ last }}
        and flows.direction = 'C'
        and flows.counterparty_class in ('salary', 'pension')
    group by accounts.customer_key, flows.counterparty_class, flows.business_date

),

pay_days as (

    select
        *,
        lag(business_date, 2) over by_day as third_last_date,
        lead(business_date) over by_day as next_date
    from incomes
    window by_day as (partition by customer_key, counterparty_class order by business_date)

),

due as (

    select
        pay_days.*,
        limits.segment,
        limits.minimum_amount,
        -- the usual gap between two, a month at least, and some days of grace
        cast({{ dbt.dateadd('day', usual_days, 'pay_days.business_date') }} as date) as due_date
    from pay_days
    inner join limits on pay_days.customer_key = limits.customer_key
    where {{ two_gaps }} <= 80

),

-- who closed every account before, and came back later, was not paid because there was nowhere to pay to
open_then as (

    select distinct
        due.customer_key,
        due.due_date
    from due
    inner join accounts on due.customer_key = accounts.customer_key
    where accounts.opened_date <= due.due_date
        and (accounts.closed_date is null or accounts.closed_date > due.due_date)

)

select
    due.customer_key,
    'income_stopped' as change_kind,
    due.counterparty_class as change_detail,
    due.due_date as change_date,
    due.segment,
    cast(due.amount as decimal(38, 2)) as amount,
    cast(null as decimal(38, 2)) as previous_amount,
    cast(null as integer) as change_count,
    cast(null as integer) as previous_count,
    due.business_date as event_date
from due
inner join open_then on due.customer_key = open_then.customer_key and due.due_date = open_then.due_date
where due.due_date <= {{ last }}
    and (due.next_date is null or due.next_date > due.due_date)
    and due.amount >= due.minimum_amount
