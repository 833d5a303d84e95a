-- Grain: customer, day and kind of outflow, from six months before the month before the business date on. A pay day
-- lasts three more days.
{%- set first_date = days_before(date_literal(month_start(var('business_date'))), 215) %}
with accounts as (

    select * from {{ ref('int_account__accounts') }}
    where customer_key is not null

),

flows as (

    select
        accounts.customer_key,
        flows.business_date,
        flows.counterparty_class,
        flows.direction,
        flows.amount
    from {{ ref('account_flow_daily') }} as flows
    inner join accounts on flows.account_no = accounts.account_no
    where flows.business_date >= {{ first_date }} and flows.txn_count > 0

),

pay_days as (

    select distinct
        flows.customer_key,
        cast({{ dbt.dateadd('day', 'lags.days', 'flows.business_date') }} as date) as business_date
    from flows
    cross join (select 0 as days union all select 1 union all select 2 union all select 3) as lags
    where flows.direction = 'C' and flows.counterparty_class in ('salary', 'pension')

),

kinds as (

    {% for kind in ['leak', 'outflow'] -%}
    {% for counterparty_class in var(kind ~ '_classes') -%}
    select '{{ kind }}' as flow_kind, '{{ counterparty_class }}' as counterparty_class
    {% if not loop.last %}union all {% endif %}
    {%- endfor %}
    {% if not loop.last %}union all {% endif %}
    {%- endfor %}

),

outflows as (

    select
        flows.customer_key,
        flows.business_date,
        kinds.flow_kind,
        sum(flows.amount) as amount
    from flows
    inner join kinds on flows.counterparty_class = kinds.counterparty_class
    where flows.direction = 'D'
    group by flows.customer_key, flows.business_date, kinds.flow_kind
    having sum(flows.amount) > 0

)

select
    outflows.customer_key,
    outflows.business_date,
    outflows.flow_kind,
    case
        when dates.is_holiday then 'holiday'
        when pay_days.customer_key is not null then 'payday'
        else 'ordinary'
    end as season,
    cast(outflows.amount as decimal(38, 2)) as amount
from outflows
inner join {{ ref('int_calendar__days') }} as dates on outflows.business_date = dates.date_day
left join pay_days
    on outflows.customer_key = pay_days.customer_key and outflows.business_date = pay_days.business_date
