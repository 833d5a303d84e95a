-- Policy rate, deposit rates and money-market fund yields. Current rows only.
with source as (

    select * from {{ source('raw', 'market_rates') }}
    where _superseded_date is null

),

renamed as (

    select
        ---------- ids
        rate_date,
        rate_code,
        ---------- numbers
        rate,
        ---------- lake
        _file,
        _row,
        _known_date,
        _delivery
    from source

)

select * from renamed
