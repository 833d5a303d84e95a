-- What became of actions. Every version that was ever known.
with source as (

    select * from {{ source('raw', 'action_outcomes') }}

),

renamed as (

    select
        ---------- ids
        party_key,
        outcome_id,
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
        ---------- lake
        _file,
        _row,
        _known_date,
        _delivery,
        _superseded_date
    from source

)

select * from renamed
