-- Grain: customer, day and kind of outflow, as far back as the rules of change read; baselines read six months before
-- the month before the business date. Loans and pay reach into the first days from before them.
{%- set pay_lag = days_between('pay_days.business_date', 'outflows.business_date') %}
{%- set lent_lag = days_between('lent_days.business_date', 'outflows.business_date') %}
with accounts as (

    select * from {{ ref('int_account__accounts') }}
    where customer_key is not null

),

flows as (

    select
        accounts.customer_key,
        flows.business_date,
        kinds.flow_kind,
        sum(flows.amount) as amount
    from {{ ref('account_flow_daily') }} as flows
    inner join accounts on flows.account_no_token = accounts.account_no_token
    inner join {{ ref('int_money__flow_kinds') }} as kinds
        on flows.counterparty_class = kinds.counterparty_class and flows.direction = kinds.direction
    where flows.business_date > {{ change_lookback(31) }} and flows.txn_count > 0
    group by accounts.customer_key, flows.business_date, kinds.flow_kind
    having sum(flows.amount) > 0

),

outflows as (

    select * from flows
    where flow_kind in ('leak', 'outflow')

),

paid as (

    select distinct
        outflows.customer_key,
        outflows.business_date
    from outflows
    inner join flows as pay_days
        on outflows.customer_key = pay_days.customer_key and pay_days.flow_kind = 'pay'
    where {{ pay_lag }} >= 0 and {{ pay_lag }} <= {{ limit('money_thresholds', 'outflow_pay_days') }}

),

lent as (

    select
        outflows.customer_key,
        outflows.business_date,
        outflows.flow_kind,
        sum(lent_days.amount) as amount
    from outflows
    inner join flows as lent_days
        on outflows.customer_key = lent_days.customer_key and lent_days.flow_kind = 'lent'
    where {{ lent_lag }} >= 0 and {{ lent_lag }} <= {{ limit('money_thresholds', 'outflow_lent_days') }}
    group by outflows.customer_key, outflows.business_date, outflows.flow_kind

)

select
    outflows.customer_key,
    outflows.business_date,
    outflows.flow_kind,
    case
        when dates.is_holiday then 'holiday'
        when paid.customer_key is not null then 'payday'
        else 'ordinary'
    end as season,
    cast(outflows.amount as decimal(38, 2)) as amount,
    cast(coalesce(lent.amount, 0) as decimal(38, 2)) as lent_amount
from outflows
inner join {{ ref('int_calendar__days') }} as dates on outflows.business_date = dates.date_day
left join paid on outflows.customer_key = paid.customer_key and outflows.business_date = paid.business_date
left join lent
    on outflows.customer_key = lent.customer_key
        and outflows.business_date = lent.business_date
        and outflows.flow_kind = lent.flow_kind
