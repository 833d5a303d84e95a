-- Product catalogue. Every version that was ever known.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'products') }}

),

renamed as (

    select
        ---------- ids
        product_code,
        ---------- texts
        product_name,
        product_family,
        risk_rating,
        ---------- numbers
        minimum_amount,
        term_days,
        interest_rate,
        ---------- lake
        _file,
        _row,
        _known_date,
        _delivery,
        _superseded_date
    from source

)

select * from renamed
