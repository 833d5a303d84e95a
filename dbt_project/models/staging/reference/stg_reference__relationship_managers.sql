-- Relationship managers. Current rows only.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'relationship_managers') }}
    where _superseded_date is null

),

renamed as (

    select
        ---------- ids
        rm_id,
        branch_code,
        ---------- dates and times
        joined_date,
        left_date,
        ---------- personal data
        rm_name,
        ---------- lake
        _file,
        _row,
        _known_date,
        _delivery
    from source

)

select * from renamed
