-- Customer information file (CIF): one full row for every person or enterprise record that was opened or changed that day. Current rows only.
with versions as (

    select * from {{ ref('stg_branch__customers_versions') }}

)

select * from versions
where _superseded_date is null
