-- Payments through third-party wallets from bound accounts. Current rows only.
with versions as (

    select * from {{ ref('stg_online__wallet_payments_versions') }}

)

select * from versions
where _superseded_date is null
