-- Queue tickets drawn in branches. Current rows only.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'branch_visits') }}
    where _superseded_date is null

),

renamed as (

    select
        ---------- ids
        cast('cif:' || customer_no as varchar) as party_key,
        ticket_id,
        customer_no,
        branch_code,
        ---------- texts
        service_type,
        ---------- dates and times
        business_date,
        queued_at,
        served_at,
        finished_at,
        ---------- lake
        _file,
        _row,
        _known_date,
        _delivery,
        _superseded_date
    from source

)

select * from renamed
