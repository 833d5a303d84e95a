-- The security level of every published column, from lakehouse/warehouse/levels.py.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'column_levels') }}

),

renamed as (

    select
        schema_name,
        table_name,
        column_name,
        security_level,
        level_of_sources,
        reason,
        reviewer
    from source

)

select * from renamed
