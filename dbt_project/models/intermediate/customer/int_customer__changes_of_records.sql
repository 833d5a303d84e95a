{{ config(materialized='ephemeral') }}
-- Grain: customer, kind and day: that a phone number or an address is another one, never which.
with records as (

    {{ last_known(ref('stg_branch__customers'), ['party_key', 'business_date']) }}

),

changes as (

    select
        party_key,
        business_date,
        phone_token,
        address,
        lag(phone_token) over by_day as previous_phone_token,
        lag(address) over by_day as previous_address
    from records
    window by_day as (partition by party_key order by business_date)

),

kinds as (

    select party_key, business_date, 'phone_changed' as change_kind
    from changes
    where phone_token <> previous_phone_token

    union all

    select party_key, business_date, 'address_changed' as change_kind
    from changes
    where address <> previous_address

)

select distinct
    links.customer_key,
    kinds.change_kind,
    'record' as change_detail,
    kinds.business_date as change_date,
    limits.segment,
    cast(null as decimal(38, 2)) as amount,
    cast(null as decimal(38, 2)) as previous_amount,
    cast(null as integer) as change_count,
    cast(null as integer) as previous_count,
    kinds.business_date as event_date
from kinds
inner join {{ ref('int_party__customers') }} as links on kinds.party_key = links.party_key
inner join {{ ref('int_customer__change_limits') }} as limits
    on links.customer_key = limits.customer_key and kinds.change_kind = limits.change_kind
