-- Debit and credit cards: one full row for every card that was issued or changed that day. Every version that was ever
-- known.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'cards') }}

),

renamed as (

    select
        ---------- ids
        cast('cif:' || customer_no as varchar) as party_key,
        card_id,
        customer_no,
        ---------- texts
        card_type,
        card_level,
        status,
        ---------- numbers
        credit_limit,
        ---------- dates and times
        business_date,
        issued_date,
        ---------- personal data
        card_no,
        account_no,
        ---------- tokens
        card_no_token,
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
