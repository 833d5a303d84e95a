-- What the segments are made of, from the card of their model.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'segment_traits') }}

),

renamed as (

    select
        segment_id,
        trait,
        trait_en,
        trait_zh,
        deviation,
        median_value,
        median_of_all_value
    from source

)

select * from renamed
