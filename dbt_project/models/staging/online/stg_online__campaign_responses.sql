-- Responses to campaign contacts. Current rows only.
with versions as (

    select * from {{ ref('stg_online__campaign_responses_versions') }}

)

select * from versions
where _superseded_date is null
