with differences as (

    select
        feed,
        business_date,
        count(*) as difference_count,
        sum(coalesce(daily_amount, 0) - coalesce(intraday_amount, 0)) as difference_amount
    from {{ ref('intraday_differences') }}
    group by feed, business_date

),

tellings as (

    select
        'transactions' as feed,
        txn_id as event_key,
        business_date,
        amount
    from {{ ref('stg_lake__intraday_transactions') }}

    union all

    select
        'wallet_payments' as feed,
        payment_id as event_key,
        business_date,
        amount
    from {{ ref('stg_lake__intraday_wallet_payments') }}

),

events as (

    select
        feed,
        event_key,
        min(business_date) as business_date,
        min(amount) as amount,
        count(*) as telling_count
    from tellings
    group by feed, event_key

),

days as (

    select
        feed,
        business_date,
        count(*) as event_count,
        sum(telling_count) - count(*) as repeated_count,
        sum(amount) as intraday_amount
    from events
    where business_date <= {{ date_literal(var('business_date')) }}
    group by feed, business_date

)

select
    cast(days.feed as varchar) as feed,
    days.business_date,
    cast(days.event_count as bigint) as event_count,
    cast(days.repeated_count as bigint) as repeated_count,
    cast(days.intraday_amount as decimal(38, 2)) as intraday_amount,
    cast(days.intraday_amount + coalesce(differences.difference_amount, 0) as decimal(38, 2)) as daily_amount,
    cast(coalesce(differences.difference_count, 0) as bigint) as difference_count,
    cast(coalesce(differences.difference_amount, 0) as decimal(38, 2)) as difference_amount
from days
left join differences on days.feed = differences.feed and days.business_date = differences.business_date
