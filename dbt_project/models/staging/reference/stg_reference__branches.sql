-- Branches. Current rows only.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'branches') }}
    where _superseded_date is null

),

renamed as (

    select
        ---------- ids
        branch_code,
        ---------- texts
        branch_name,
        branch_name_en,
        city,
        region,
        ---------- numbers
        average_salary,
        unemployment_rate,
        ---------- lake
        _file,
        _row,
        _known_date,
        _delivery
    from source

)

select * from renamed
