-- Branches. Current rows only.
-- Written by `python -m c360.staging_sources`: change the contract in feeds/, or that module, not this file.
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
