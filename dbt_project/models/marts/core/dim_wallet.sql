with states as (

    select
        *,
        row_number() over (partition by binding_id order by valid_from desc) as recency
    from {{ ref('int_account__wallets') }}

),

accounts as (

    select * from {{ ref('dim_account') }}

)

select
    states.binding_id,
    states.account_no_token,
    accounts.customer_key,
    states.provider,
    states.bound_at,
    states.unbound_at
from states
left join accounts on states.account_no_token = accounts.account_no_token
where states.recency = 1
