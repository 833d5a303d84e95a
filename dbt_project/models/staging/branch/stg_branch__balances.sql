-- End-of-day balances of deposit accounts, for the days on which they changed. Current rows only.
with versions as (

    select * from {{ ref('stg_branch__balances_versions') }}

)

select * from versions
where _superseded_date is null
