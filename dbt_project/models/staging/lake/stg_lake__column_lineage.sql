-- The columns from which every published column derives, as `c360 lineage` has them.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'column_lineage') }}

),

renamed as (

    select
        schema_name,
        table_name,
        column_name,
        source_kind,
        channel,
        source_name,
        source_column
    from source

)

select * from renamed
