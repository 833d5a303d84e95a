{{ config(materialized='view') }}
-- Grain: one thing that happened between a party and the bank, over one channel.
-- `is_own`: the party did it (the bank's own bookings and calls say nothing about whether a customer is alive).
select
    party_key,
    business_date,
    case channel when 'counter' then 'branch' when 'mobile' then 'app' else channel end as channel,
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

union all

select
    party_key,
    business_date,
    case
        when contact_kind = 'rm_contact' then 'rm'
        when contact_kind in ('campaign_touch', 'action') then 'campaign'
        when channel = 'counter' then 'branch'
        when channel = 'mobile' then 'app'
        else channel
    end as channel,
    case contact_kind when 'complaint' then 'complaint' else 'contact' end as touch_kind,
    contact_kind = 'complaint' as is_own,
    null as amount
from {{ ref('fct_contacts') }}
