-- Ledger postings on deposit accounts. Every version that was ever known.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'transactions') }}

),

renamed as (

    select
        ---------- ids
        txn_id,
        ---------- texts
        direction,
        channel,
        txn_type,
        counterparty_bank,
        ---------- numbers
        amount,
        ---------- dates and times
        business_date,
        txn_at,
        ---------- personal data
        account_no,
        counterparty_account,
        remark,
        ---------- tokens
        account_no_token,
        counterparty_account_token,
        ---------- lake
        _file,
        _row,
        _known_date,
        _delivery,
        _superseded_date
    from source

)

select * from renamed
