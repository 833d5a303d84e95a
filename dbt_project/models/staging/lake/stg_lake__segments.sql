-- Groups of the customers without a relationship manager, from ml_jobs.segments.
-- Written by `python -m c360.staging_sources`: change the contract in feeds/, or that module, not this file.
with source as (

    select * from {{ source('raw', 'segments') }}

),

renamed as (

    select
        customer_key,
        as_of_date,
        segment_id,
        distance,
        confidence,
        model_version
    from source

)

select * from renamed
