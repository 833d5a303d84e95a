-- Loans: one full row for every loan that was granted or changed that day. Current rows only.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'loans') }}
    where _superseded_date is null

),

renamed as (

    select
        ---------- ids
        cast('cif:' || customer_no as varchar) as party_key,
        loan_no,
        customer_no,
        product_code,
        guarantor_customer_no,
        ---------- texts
        status,
        ---------- numbers
        principal,
        term_months,
        interest_rate,
        instalment,
        outstanding_amount,
        ---------- dates and times
        business_date,
        granted_date,
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
