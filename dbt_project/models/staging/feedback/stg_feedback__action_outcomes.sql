-- What became of actions. Current rows only.
with versions as (

    select * from {{ ref('stg_feedback__action_outcomes_versions') }}

)

select * from versions
where _superseded_date is null
