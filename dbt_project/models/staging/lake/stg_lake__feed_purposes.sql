-- For which purposes the contracts let columns of feeds be used.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'feed_purposes') }}

),

renamed as (

    select
        feed,
        column_name,
        purpose,
        valid_from
    from source

)

select * from renamed
