-- What the contracts ask of the feeds.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'feed_contracts') }}

),

renamed as (

    select
        feed,
        channel,
        latency_days
    from source

)

select * from renamed
