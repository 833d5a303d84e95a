-- What readers see that is made of the critical data elements that people may adjust.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'element_uses') }}

),

renamed as (

    select
        element,
        report_kind,
        report,
        is_adjusted
    from source

)

select * from renamed
