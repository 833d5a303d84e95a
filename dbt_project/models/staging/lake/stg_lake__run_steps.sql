-- Steps of the runs.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'run_steps') }}

),

renamed as (

    select
        run_id,
        business_date,
        step,
        status,
        started_at,
        ended_at,
        error,
        detail
    from source

)

select * from renamed
