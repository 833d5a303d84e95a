{{ config(materialized='ephemeral') }}
-- Grain: customer, wallet and day on which it was first bound to one of the customer's accounts.
with wallets as (

    select
        binding_id,
        account_no_token,
        provider,
        min(valid_from) as bound_date
    from {{ ref('int_account__wallets') }}
    group by binding_id, account_no_token, provider

),

limits as (

    select * from {{ ref('int_customer__change_limits') }}
    where change_kind = 'wallet_bound'

)

select
    accounts.customer_key,
    'wallet_bound' as change_kind,
    wallets.provider as change_detail,
    wallets.bound_date as change_date,
    limits.segment,
    cast(null as decimal(38, 2)) as amount,
    cast(null as decimal(38, 2)) as previous_amount,
    cast(count(*) as integer) as change_count,
    cast(null as integer) as previous_count,
    wallets.bound_date as event_date
from wallets
inner join {{ ref('int_account__accounts') }} as accounts on wallets.account_no_token = accounts.account_no_token
inner join limits on accounts.customer_key = limits.customer_key
where {{ days_between('limits.first_opened_date', 'wallets.bound_date') }} >= limits.days
group by accounts.customer_key, wallets.provider, wallets.bound_date, limits.segment
