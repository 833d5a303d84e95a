-- Loans: one full row for every loan that was granted or changed that day. Current rows only.
with versions as (

    select * from {{ ref('stg_branch__loans_versions') }}

)

select * from versions
where _superseded_date is null
