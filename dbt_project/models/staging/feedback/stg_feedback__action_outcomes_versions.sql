-- What became of an action that c360 listed, one row per action and telling, the last word counts. Rows of the control
-- group are reported, too (arm control, nothing done): without them nobody can say what the actions are worth. Every
-- version that was ever known.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'action_outcomes') }}

),

renamed as (

    select
        ---------- ids
        outcome_id,
        party_key,
        contact_id,
        ---------- texts
        action_kind,
        arm,
        outcome,
        channel,
        ---------- booleans
        is_done,
        ---------- dates and times
        business_date,
        action_date,
        ---------- personal data
        reported_by,
        ---------- lake
        _file,
        _row,
        _known_date,
        _delivery,
        _superseded_date
    from source

)

select * from renamed
