{{ config(schema='pii') }}
-- Grain: party record and spell with one customer. A record that the identity step does not know is its own customer.
with linked as (

    select * from {{ ref('stg_lake__customer_xref') }}

),

records as (

    select
        party_key,
        min(known_date) as first_known_date
    from {{ ref('int_party__records') }}
    group by party_key

)

select
    party_key,
    customer_key,
    rule,
    match_weight,
    valid_from,
    valid_to,
    coalesce(valid_to > {{ date_literal(var('business_date')) }}, true) as is_current
from linked
where valid_from <= {{ date_literal(var('business_date')) }}

union all

select
    party_key,
    party_key as customer_key,
    'unlinked' as rule,
    null as match_weight,
    first_known_date as valid_from,
    null as valid_to,
    true as is_current
from records
where not exists (select 1 from linked where linked.party_key = records.party_key)
