-- What the groups are made of, from the card of their model.
-- Written by `python -m c360.staging_sources`: change the contract in feeds/, or that module, not this file.
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
