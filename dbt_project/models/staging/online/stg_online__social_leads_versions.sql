-- Leads from social media. Every version that was ever known.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'social_leads') }}

),

renamed as (

    select
        ---------- ids
        cast('lead:' || lead_id as varchar) as party_key,
        lead_id,
        ---------- texts
        source,
        city,
        interest,
        ---------- numbers
        cost,
        ---------- dates and times
        business_date,
        captured_at,
        ---------- personal data
        name,
        phone,
        ---------- tokens
        phone_token,
        ---------- lake
        _file,
        _row,
        _known_date,
        _delivery,
        _superseded_date
    from source

)

select * from renamed
