-- The segments, from the card of their model.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'segment_groups') }}

),

renamed as (

    select
        segment_id,
        segment_name_en,
        segment_name_zh,
        profile_en,
        profile_zh,
        model_version
    from source

)

select * from renamed
