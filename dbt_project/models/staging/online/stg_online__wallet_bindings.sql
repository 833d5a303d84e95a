-- Bank accounts bound to third-party wallets: one full row when bound or unbound. Current rows only.
with versions as (

    select * from {{ ref('stg_online__wallet_bindings_versions') }}

)

select * from versions
where _superseded_date is null
