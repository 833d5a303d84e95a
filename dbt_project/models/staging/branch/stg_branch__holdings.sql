-- Investment holdings: a row for every day on which a holding changed or was valued. Current rows only.
with versions as (

    select * from {{ ref('stg_branch__holdings_versions') }}

)

select * from versions
where _superseded_date is null
