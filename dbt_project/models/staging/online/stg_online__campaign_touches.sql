-- Campaign contacts, with the random control group that was not contacted. Current rows only.
with versions as (

    select * from {{ ref('stg_online__campaign_touches_versions') }}

)

select * from versions
where _superseded_date is null
