-- Payments through third-party wallets from bound accounts. Current rows only.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'wallet_payments') }}
    where _superseded_date is null

),

renamed as (

    select
        ---------- ids
        payment_id,
        binding_id,
        ---------- texts
        purpose,
        ---------- numbers
        amount,
        ---------- dates and times
        business_date,
        paid_at,
        ---------- lake
        _file,
        _row,
        _known_date,
        _delivery,
        _superseded_date
    from source

)

select * from renamed
