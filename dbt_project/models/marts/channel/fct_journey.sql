{{ config(materialized='view') }}

with touches as (

    select
        visit_id as touch_id,
        party_key,
        business_date,
        queued_at as touched_at,
        'branch' as channel,
        'visit' as touch_kind,
        service_type as topic,
        cast(null as varchar) as product_code,
        true as is_own
    from {{ ref('fct_branch_visits') }}

    union all

    select
        txn_id as touch_id,
        party_key,
        business_date,
        txn_at as touched_at,
        'branch' as channel,
        'transaction' as touch_kind,
        txn_type as topic,
        null as product_code,
        true as is_own
    from {{ ref('fct_transactions') }}
    where channel = 'branch'

    union all

    select
        online_event_id as touch_id,
        party_key,
        business_date,
        event_at as touched_at,
        channel,
        'event' as touch_kind,
        event_name as topic,
        product_code,
        true as is_own
    from {{ ref('fct_online_events') }}
    where event_kind in ('app_event', 'mall_order')

    union all

    select
        contact_id as touch_id,
        party_key,
        business_date,
        contact_at as touched_at,
        {{ contact_channel() }} as channel,
        contact_kind as touch_kind,
        purpose as topic,
        product_code,
        contact_kind = 'complaint' as is_own
    from {{ ref('fct_contacts') }}

),

known as (

    select
        parties.customer_key,
        touches.*,
        lag(touches.channel) over by_time as previous_channel,
        lag(touches.touched_at) over by_time as previous_touched_at,
        row_number() over by_time as touch_number
    from touches
    inner join {{ ref('dim_party') }} as parties on touches.party_key = parties.party_key
    window by_time as (partition by parties.customer_key order by touches.touched_at, touches.touch_id)

),

gaps as (

    select
        *,
        case
            when touched_at <= {{ dbt.dateadd('minute', var('session_gap_minutes'), 'previous_touched_at') }}
                then 0
            else 1
        end as is_first_of_session
    from known

)

select
    cast(customer_key as varchar) as customer_key,
    cast(touch_number as bigint) as touch_number,
    cast(sum(is_first_of_session) over (partition by customer_key order by touch_number) as bigint) as session_number,
    cast(touch_id as varchar) as touch_id,
    cast(party_key as varchar) as party_key,
    business_date,
    touched_at,
    cast(channel as varchar) as channel,
    cast(previous_channel as varchar) as previous_channel,
    cast(touch_kind as varchar) as touch_kind,
    cast(topic as varchar) as topic,
    cast(product_code as varchar) as product_code,
    is_own
from gaps
