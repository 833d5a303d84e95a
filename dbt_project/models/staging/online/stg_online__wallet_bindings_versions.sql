-- Bank accounts bound to third-party wallets: one full row when bound or unbound. Every version that was ever known.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'wallet_bindings') }}

),

renamed as (

    select
        ---------- ids
        binding_id,
        ---------- texts
        provider,
        ---------- dates and times
        business_date,
        bound_at,
        unbound_at,
        ---------- personal data
        account_no,
        ---------- tokens
        account_no_token,
        ---------- lake
        _file,
        _row,
        _known_date,
        _delivery,
        _superseded_date
    from source

)

select * from renamed
