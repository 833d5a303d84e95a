{{ config(materialized='view') }}
-- Grain: one thing that happened between a party and the bank, over one channel.
-- `is_own`: the party did it (the bank's own bookings and calls say nothing about whether a customer is alive).
select
    party_key,
    business_date,
    channel,
    'transaction' as touch_kind,
    channel <> 'batch' as is_own,
    amount
from {{ ref('fct_transactions') }}

union all

select
    party_key,
    business_date,
    'branch' as channel,
    'visit' as touch_kind,
    true as is_own,
    null as amount
from {{ ref('fct_branch_visits') }}

union all

select
    party_key,
    business_date,
    channel,
    'event' as touch_kind,
    true as is_own,
    amount
from {{ ref('fct_online_events') }}
where event_kind <> 'wallet_payment' -- each is a posting, too

union all

select
    party_key,
    business_date,
    {{ contact_channel() }} as channel,
    case contact_kind when 'complaint' then 'complaint' else 'contact' end as touch_kind,
    contact_kind = 'complaint' as is_own,
    null as amount
from {{ ref('fct_contacts') }}
