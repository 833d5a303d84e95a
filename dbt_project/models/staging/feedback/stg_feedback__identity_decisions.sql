-- What a clerk decided of two party records, from the review list or on his own: the last word on a pair counts.
-- Current rows only.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'identity_decisions') }}
    where _superseded_date is null

),

renamed as (

    select
        ---------- ids
        decision_id,
        left_party_key,
        right_party_key,
        ---------- texts
        decision,
        ---------- dates and times
        business_date,
        ---------- personal data
        decided_by,
        note,
        ---------- lake
        _file,
        _row,
        _known_date,
        _delivery
    from source

)

select * from renamed
