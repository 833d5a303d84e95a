-- The bank's main figures by date, as each publish showed them for the first time.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'published_figures') }}

),

renamed as (

    select
        publish_id,
        published_date,
        table_name,
        measure,
        figure_date,
        figure_value
    from source

)

select * from renamed
