-- Changes that a target did not take, and that are still wanted.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'activation_dead_letters') }}

),

renamed as (

    select
        activation,
        row_key,
        reason,
        change_kind,
        publish_id,
        error
    from source

)

select * from renamed
