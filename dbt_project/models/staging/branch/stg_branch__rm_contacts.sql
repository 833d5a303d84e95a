-- Contacts between relationship managers and customers. Current rows only.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'rm_contacts') }}
    where _superseded_date is null

),

renamed as (

    select
        ---------- ids
        cast('cif:' || customer_no as varchar) as party_key,
        contact_id,
        customer_no,
        rm_id,
        ---------- texts
        channel,
        purpose,
        outcome,
        ---------- dates and times
        business_date,
        contact_at,
        ---------- personal data
        note,
        ---------- lake
        _file,
        _row,
        _known_date,
        _delivery,
        _superseded_date
    from source

)

select * from renamed
