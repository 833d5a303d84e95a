-- Online registrations (app, web, mall): one full row when opened or changed. Current rows only.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'registrations') }}
    where _superseded_date is null

),

renamed as (

    select
        ---------- ids
        cast('online:' || user_id as varchar) as party_key,
        user_id,
        lead_id,
        ---------- texts
        platform,
        city,
        ---------- booleans
        is_marketing_opt_out,
        ---------- dates and times
        business_date,
        registered_at,
        ---------- personal data
        name,
        phone,
        email,
        birth_date,
        address,
        id_no,
        bound_card_no,
        ---------- tokens
        phone_token,
        email_token,
        id_no_token,
        bound_card_no_token,
        ---------- lake
        _file,
        _row,
        _known_date,
        _delivery,
        _superseded_date
    from source

)

select * from renamed
