{{ config(materialized='ephemeral') }}
-- Grain: customer, class of the other side and direction: a kind of payment for the first time in a year. What comes
-- straight back is none: a transfer there and back, a product bought and returned.
with accounts as (

    select * from {{ ref('int_account__accounts') }}

),

limits as (

    select * from {{ ref('int_customer__change_limits') }}
    where change_kind = 'new_counterparty_type'

),

days as (

    -- this is the longest look back
    select
        accounts.customer_key,
        flows.counterparty_class,
        flows.direction,
        flows.business_date,
        sum(flows.amount) as amount
    from {{ ref('account_flow_daily') }} as flows
    inner join accounts on flows.account_no_token = accounts.account_no_token
    where flows.business_date > {{ change_lookback(366) }}
        and flows.business_date <= {{ date_literal(var('business_date')) }}
        and flows.txn_count > 0
    group by accounts.customer_key, flows.counterparty_class, flows.direction, flows.business_date

),

flows as (

    -- of the classes that have words
    select days.*
    from days
    inner join {{ ref('change_phrases') }} as phrases
        on phrases.change_kind = 'new_counterparty_type'
            and days.counterparty_class || ':' || days.direction = phrases.change_detail

),

first_flows as (

    select
        customer_key,
        counterparty_class,
        direction,
        min(case when business_date > {{ change_lookback() }} then business_date end) as first_date,
        max(case when business_date <= {{ change_lookback() }} then business_date end) as earlier_date
    from flows
    group by customer_key, counterparty_class, direction

),

returned as (

    -- within days of it, the same class the other way; a salary or pension does not go back
    select
        first_flows.customer_key,
        first_flows.counterparty_class,
        first_flows.direction,
        sum(days.amount) as amount
    from first_flows
    inner join limits on first_flows.customer_key = limits.customer_key
    inner join days
        on first_flows.customer_key = days.customer_key
            and first_flows.counterparty_class = days.counterparty_class
            and first_flows.direction <> days.direction
            and days.business_date >= first_flows.first_date
            and {{ days_between('first_flows.first_date', 'days.business_date') }} <= limits.return_days
    group by first_flows.customer_key, first_flows.counterparty_class, first_flows.direction

),

known as (

    select
        customer_key,
        min(as_of_date) as known_date
    from {{ ref('int_customer__positions_monthly') }}
    where as_of_date > {{ change_lookback(366) }}
        and as_of_date = cast({{ dbt.last_day('as_of_date', 'month') }} as date)
    group by customer_key

)

select
    first_flows.customer_key,
    'new_counterparty_type' as change_kind,
    first_flows.counterparty_class || ':' || first_flows.direction as change_detail,
    first_flows.first_date as change_date,
    limits.segment,
    cast(flows.amount as decimal(38, 2)) as amount,
    cast(null as decimal(38, 2)) as previous_amount,
    cast(null as integer) as change_count,
    cast(null as integer) as previous_count,
    first_flows.first_date as event_date
from first_flows
inner join known on first_flows.customer_key = known.customer_key
inner join limits on first_flows.customer_key = limits.customer_key
inner join flows
    on first_flows.customer_key = flows.customer_key
        and first_flows.counterparty_class = flows.counterparty_class
        and first_flows.direction = flows.direction
        and first_flows.first_date = flows.business_date
left join returned
    on first_flows.customer_key = returned.customer_key
        and first_flows.counterparty_class = returned.counterparty_class
        and first_flows.direction = returned.direction
where {{ days_between('known.known_date', 'first_flows.first_date') }} >= limits.days
    and (
        first_flows.earlier_date is null
        or {{ days_between('first_flows.earlier_date', 'first_flows.first_date') }} > 365
    )
    and flows.amount >= limits.minimum_amount
    and coalesce(returned.amount, 0) < limits.minimum_rate * flows.amount
