-- What people did about a case: handed it over, took a step, proposed an outcome, signed or returned the proposal of
-- another. With the first of a day comes what every case was opened for, as it was published. Current rows only.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'case_events') }}
    where _superseded_date is null

),

renamed as (

    select
        ---------- ids
        event_id,
        case_id,
        subject_key,
        branch_code,
        ---------- texts
        case_kind,
        event_kind,
        done_by,
        handed_to,
        step_kind,
        outcome,
        case_note,
        evidence_en,
        evidence_zh,
        ---------- numbers
        case_number,
        amount,
        ---------- dates and times
        business_date,
        happened_at,
        due_date,
        opened_date,
        ---------- lake
        _file,
        _row,
        _known_date,
        _delivery
    from source

)

select * from renamed
