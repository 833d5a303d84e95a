-- The groups, from the card of their model.
-- Written by `python -m c360.staging_sources`: change the contract in feeds/, or that module, not this file.
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
