-- App and web events. Current rows only.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'app_events') }}
    where _superseded_date is null

),

renamed as (

    select
        ---------- ids
        cast('online:' || user_id as varchar) as party_key,
        event_id,
        user_id,
        session_id,
        product_code,
        ---------- texts
        platform,
        event_name,
        ---------- dates and times
        business_date,
        event_at,
        ---------- lake
        _file,
        _row,
        _known_date,
        _delivery,
        _superseded_date
    from source

)

select * from renamed
