-- Queue tickets drawn in branches. Current rows only.
with versions as (

    select * from {{ ref('stg_branch__branch_visits_versions') }}

)

select * from versions
where _superseded_date is null
