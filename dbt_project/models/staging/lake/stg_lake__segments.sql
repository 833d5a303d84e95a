-- Segments of the customers without a relationship manager, from ml_jobs/derived/segments.py.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
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
