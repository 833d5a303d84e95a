-- Levels of customers' assets, from ml_jobs.change_points.
-- Written by `python -m c360.staging_sources`: change the contract in feeds/, or that module, not this file.
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
