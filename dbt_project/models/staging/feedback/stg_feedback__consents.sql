-- What customers have said about purposes for which the bank uses their data: a consent, an objection, or a consent
-- that is taken back. The last word counts, from its day on. Current rows only.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'consents') }}
    where _superseded_date is null

),

renamed as (

    select
        ---------- ids
        decision_id,
        party_key,
        ---------- texts
        purpose,
        decision,
        channel,
        ---------- dates and times
        business_date,
        effective_date,
        decided_at,
        ---------- lake
        _file,
        _row,
        _known_date,
        _delivery,
        _superseded_date
    from source

)

select * from renamed
