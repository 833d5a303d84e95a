-- Contacts between relationship managers and customers. Current rows only.
with versions as (

    select * from {{ ref('stg_branch__rm_contacts_versions') }}

)

select * from versions
where _superseded_date is null
