-- Grain: wallet binding and spell with one state, as last told.
with bindings as (

    {{ last_known(ref('stg_online__wallet_bindings'), ['binding_id', 'business_date']) }}

)

select
    binding_id,
    account_no_token,
    provider,
    bound_at,
    unbound_at,
    business_date as valid_from,
    lead(business_date) over (partition by binding_id order by business_date) as valid_to
from bindings
