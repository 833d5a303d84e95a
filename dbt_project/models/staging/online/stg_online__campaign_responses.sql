-- Responses to campaign contacts. Current rows only.
-- Written by `python -m c360.staging_sources`: change the contract in feeds/, or that module, not this file.
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
