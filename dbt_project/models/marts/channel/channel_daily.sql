{{ config(
    materialized='incremental', incremental_strategy='replace_dates', on_schema_change='fail',
    meta={'partition_by': 'business_date'},
) }}

with touches as (

    select * from {{ ref('int_activity__touches') }}
    where {{ dates_of_run('business_date') }}

)

select
    business_date,
    cast(channel as varchar) as channel,
    cast(count(distinct party_key) as bigint) as party_count,
    cast(sum(case when touch_kind = 'transaction' then 1 else 0 end) as bigint) as txn_count,
    cast(sum(case when touch_kind = 'transaction' then 0 else 1 end) as bigint) as event_count,
    cast(sum(case when touch_kind = 'transaction' then amount else 0 end) as decimal(38, 2)) as txn_amount,
    cast(sum(case when touch_kind = 'event' then coalesce(amount, 0) else 0 end) as decimal(38, 2)) as event_amount
from touches
group by business_date, channel
