-- Policy rate, deposit rates and money-market fund yields. Current rows only.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'market_rates') }}
    where _superseded_date is null

),

renamed as (

    select
        ---------- ids
        rate_code,
        ---------- numbers
        rate,
        ---------- dates and times
        rate_date,
        ---------- lake
        _file,
        _row,
        _known_date,
        _delivery
    from source

)

select * from renamed
