-- Online registrations (app, web, mall): one full row when opened or changed. Current rows only.
with versions as (

    select * from {{ ref('stg_online__registrations_versions') }}

)

select * from versions
where _superseded_date is null
