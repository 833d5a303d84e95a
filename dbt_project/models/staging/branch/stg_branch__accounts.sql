-- Deposit, wealth and loan accounts: one full row for every account that was opened or changed that day. Current rows only.
with versions as (

    select * from {{ ref('stg_branch__accounts_versions') }}

)

select * from versions
where _superseded_date is null
