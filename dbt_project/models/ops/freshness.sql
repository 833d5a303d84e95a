with contracts as (
    select * from {{ ref('stg_lake__feed_contracts') }}
),

outcomes as (
    select * from {{ ref('stg_lake__delivery_outcomes') }}
    where outcome in ('loaded', 'replaced')
),

feeds as (
    select
        feed,
        max(channel) as channel,
        max(cutoff_date) as last_cutoff_date,
        max(max_business_date) as last_business_date,
        count(*) as delivery_count
    from outcomes
    group by feed
)

select
    feeds.feed,
    feeds.channel,
    feeds.last_cutoff_date,
    feeds.last_business_date,
    cast(feeds.delivery_count as bigint) as delivery_count,
    {{ days_between('feeds.last_cutoff_date', date_literal(var('business_date'))) }} as days_since_delivery,
    contracts.latency_days
from feeds
left join contracts on feeds.feed = contracts.feed
