-- The checks that look at the critical data elements.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'element_controls') }}

),

renamed as (

    select
        element,
        control_kind,
        control
    from source

)

select * from renamed
