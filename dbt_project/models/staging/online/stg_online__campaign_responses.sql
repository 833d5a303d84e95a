-- Responses to campaign contacts. Current rows only.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'campaign_responses') }}
    where _superseded_date is null

),

renamed as (

    select
        ---------- ids
        response_id,
        touch_id,
        ---------- texts
        response,
        ---------- dates and times
        business_date,
        responded_at,
        ---------- lake
        _file,
        _row,
        _known_date,
        _delivery,
        _superseded_date
    from source

)

select * from renamed
