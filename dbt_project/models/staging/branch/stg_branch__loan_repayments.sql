-- Loan instalments: a row when one falls due and again when it is paid or ages. Current rows only.
with versions as (

    select * from {{ ref('stg_branch__loan_repayments_versions') }}

)

select * from versions
where _superseded_date is null
