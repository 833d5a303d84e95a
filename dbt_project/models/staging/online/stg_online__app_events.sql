-- App and web events. Current rows only.
with versions as (

    select * from {{ ref('stg_online__app_events_versions') }}

)

select * from versions
where _superseded_date is null
