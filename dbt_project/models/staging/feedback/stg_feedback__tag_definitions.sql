-- Groups of customers that people define by conditions on published columns, one row per tag and version: a definition,
-- a new version and a retirement are a version each, and the highest version that is known counts. Current rows only.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'tag_definitions') }}
    where _superseded_date is null

),

renamed as (

    select
        ---------- ids
        change_id,
        ---------- texts
        tag,
        change_kind,
        description,
        owner,
        matching,
        conditions,
        ---------- numbers
        version,
        ---------- dates and times
        business_date,
        expires_date,
        ---------- personal data
        changed_by,
        note,
        ---------- lake
        _file,
        _row,
        _known_date,
        _delivery
    from source

)

select * from renamed
