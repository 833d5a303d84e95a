-- Levels of customers' assets, from ml_jobs/derived/change_points.py.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'change_points') }}

),

renamed as (

    select
        customer_key,
        change_date,
        usual_amount,
        level_amount
    from source

)

select * from renamed
