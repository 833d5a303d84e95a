-- Levels of customers' assets, from ml_jobs.derived.change_points.
-- Written by `python -m lakehouse.warehouse.dbt_sources`: change the contract, not this file.
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
