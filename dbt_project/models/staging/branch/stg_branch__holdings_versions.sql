-- Investment holdings: a row for every day on which a holding changed or was valued. Every version that was ever known.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'holdings') }}

),

renamed as (

    select
        ---------- ids
        cast('cif:' || customer_no as varchar) as party_key,
        holding_id,
        customer_no,
        product_code,
        ---------- numbers
        market_value,
        cost,
        ---------- dates and times
        business_date,
        start_date,
        maturity_date,
        ---------- lake
        _file,
        _row,
        _known_date,
        _delivery,
        _superseded_date
    from source

)

select * from renamed
