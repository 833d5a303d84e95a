-- Manual adjustments of a branch's figures, each prepared by one person and approved by another. An adjustment counts
-- from its effective date on, until another one reverses it. Current rows only.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'adjustments') }}
    where _superseded_date is null

),

renamed as (

    select
        ---------- ids
        adjustment_id,
        branch_code,
        reverses_adjustment_id,
        ---------- texts
        element,
        reason,
        evidence_reference,
        prepared_by,
        approved_by,
        ---------- numbers
        amount,
        ---------- dates and times
        business_date,
        effective_date,
        ---------- lake
        _file,
        _row,
        _known_date,
        _delivery
    from source

)

select * from renamed
