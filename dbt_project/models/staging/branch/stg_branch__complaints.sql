-- Complaints received over any channel. Current rows only.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'complaints') }}
    where _superseded_date is null

),

renamed as (

    select
        ---------- ids
        cast('cif:' || customer_no as varchar) as party_key,
        complaint_id,
        customer_no,
        ---------- texts
        channel,
        category,
        ---------- numbers
        severity,
        ---------- dates and times
        business_date,
        received_at,
        resolved_date,
        ---------- lake
        _file,
        _row,
        _known_date,
        _delivery,
        _superseded_date
    from source

)

select * from renamed
