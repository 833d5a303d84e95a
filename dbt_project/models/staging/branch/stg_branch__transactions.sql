-- Ledger postings on deposit accounts. Current rows only.
with versions as (

    select * from {{ ref('stg_branch__transactions_versions') }}

)

select * from versions
where _superseded_date is null
