-- Groups of the customers without a relationship manager, from ml_jobs.derived.segments.
-- Written by `python -m lakehouse.warehouse.dbt_sources`: change the contract, not this file.
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
