-- End-of-day balances of deposit accounts, for the days on which they changed. Current rows only.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'balances') }}
    where _superseded_date is null

),

renamed as (

    select
        ---------- texts
        currency,
        ---------- numbers
        balance,
        ---------- dates and times
        business_date,
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
