-- Public holidays and made-up working days. Current rows only.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'holidays') }}
    where _superseded_date is null

),

renamed as (

    select
        ---------- texts
        holiday_name,
        ---------- booleans
        is_workday,
        ---------- dates and times
        holiday_date,
        ---------- lake
        _file,
        _row,
        _known_date,
        _delivery
    from source

)

select * from renamed
