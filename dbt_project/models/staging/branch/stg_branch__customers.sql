-- Customer information file (CIF): one full row for every person or enterprise record that was opened or changed that
-- day. Current rows only.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'customers') }}
    where _superseded_date is null

),

renamed as (

    select
        ---------- ids
        cast('cif:' || customer_no as varchar) as party_key,
        customer_no,
        home_branch_code,
        owner_customer_no,
        ---------- texts
        party_type,
        gender,
        id_type,
        city,
        occupation,
        risk_rating,
        ---------- booleans
        is_marketing_opt_out,
        ---------- numbers
        monthly_income,
        ---------- dates and times
        business_date,
        opened_date,
        ---------- personal data
        name,
        birth_date,
        id_no,
        phone,
        email,
        address,
        ---------- tokens
        id_no_token,
        phone_token,
        email_token,
        ---------- lake
        _file,
        _row,
        _known_date,
        _delivery,
        _superseded_date
    from source

)

select * from renamed
