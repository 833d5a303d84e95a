-- Deliveries whose fate is another than at the publish before.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'restatement_causes') }}

),

renamed as (

    select
        publish_id,
        delivery_id,
        change,
        first_date
    from source

)

select * from renamed
