-- The changes of the last days, as they were sent, and what became of each.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'activation_changes') }}

),

renamed as (

    select
        activation,
        plan_number,
        place,
        event_id,
        table_name,
        publish_id,
        business_date,
        change_kind,
        row_key,
        row_hash,
        outcome
    from source

)

select * from renamed
