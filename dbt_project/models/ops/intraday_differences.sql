-- Only dates for which the intraday road has events of the feed are compared.
with intraday as (

    select
        'transactions' as feed,
        txn_id as event_key,
        business_date,
        direction,
        amount
    from {{ ref('stg_lake__intraday_transactions') }}

    union all

    select
        'wallet_payments' as feed,
        payment_id as event_key,
        business_date,
        'D' as direction,
        amount
    from {{ ref('stg_lake__intraday_wallet_payments') }}

),

told_intraday as (

    select
        feed,
        event_key,
        min(business_date) as business_date,
        min(direction) as direction,
        min(amount) as amount
    from intraday
    group by feed, event_key

),

compared_dates as (

    select distinct
        feed,
        business_date
    from told_intraday
    where business_date <= {{ date_literal(var('business_date')) }}

),

daily as (

    select
        'transactions' as feed,
        txn_id as event_key,
        business_date,
        direction,
        amount
    from {{ ref('fct_transactions') }}
    where business_date in (select business_date from compared_dates where feed = 'transactions')

    union all

    select
        'wallet_payments' as feed,
        payment_id as event_key,
        business_date,
        'D' as direction,
        amount
    from {{ ref('stg_online__wallet_payments') }}
    where business_date in (select business_date from compared_dates where feed = 'wallet_payments')
        and {{ is_first_telling('wallet_payments', 'payment_id') }}

),

paired as (

    select
        coalesce(daily.feed, told_intraday.feed) as feed,
        coalesce(daily.event_key, told_intraday.event_key) as event_key,
        coalesce(daily.business_date, told_intraday.business_date) as business_date,
        coalesce(daily.direction, told_intraday.direction) as direction,
        told_intraday.amount as intraday_amount,
        daily.amount as daily_amount,
        case
            when daily.event_key is null then 'not in the daily batch'
            when told_intraday.event_key is null then 'not intraday'
            when daily.business_date <> told_intraday.business_date then 'other business date'
            when daily.amount <> told_intraday.amount or daily.direction <> told_intraday.direction then 'other amount'
            else 'equal'
        end as difference
    from daily
    full outer join told_intraday on daily.feed = told_intraday.feed and daily.event_key = told_intraday.event_key

)

select
    cast(feed as varchar) as feed,
    event_key,
    business_date,
    cast(direction as varchar) as direction,
    intraday_amount,
    daily_amount,
    cast(difference as varchar) as difference
from paired
where difference <> 'equal' and business_date <= {{ date_literal(var('business_date')) }}
