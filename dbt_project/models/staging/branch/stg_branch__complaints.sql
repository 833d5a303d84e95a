-- Complaints received over any channel. Current rows only.
with versions as (

    select * from {{ ref('stg_branch__complaints_versions') }}

)

select * from versions
where _superseded_date is null
