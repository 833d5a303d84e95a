-- Deposit, wealth and loan accounts: one full row for every account that was opened or changed that day. Every version
-- that was ever known.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'accounts') }}

),

renamed as (

    select
        ---------- ids
        cast('cif:' || customer_no as varchar) as party_key,
        customer_no,
        authorised_customer_no,
        product_code,
        branch_code,
        ---------- texts
        currency,
        status,
        ---------- numbers
        interest_rate,
        ---------- dates and times
        business_date,
        opened_date,
        closed_date,
        maturity_date,
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
