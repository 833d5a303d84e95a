{{ config(
    materialized='incremental', incremental_strategy='replace_dates', on_schema_change='fail',
    meta={'partition_by': 'business_date'},
    indexes=[{'columns': ['business_date']}] if target.type == 'postgres' else [],
) }}

with rm_contacts as (

    select * from {{ ref('stg_branch__rm_contacts') }}
    where {{ dates_of_run('business_date') }}
        and {{ is_first_telling('rm_contacts', 'contact_id') }}

),

campaign_touches as (

    -- nobody contacted the control group
    select * from {{ ref('stg_online__campaign_touches') }}
    where {{ dates_of_run('business_date') }}
        and {{ is_first_telling('campaign_touches', 'touch_id') }}
        and arm = 'treatment'

),

actions as (

    -- what a relationship manager reports of his own, too, is in rm_contacts
    select * from {{ ref('stg_feedback__action_outcomes') }}
    where {{ dates_of_run('business_date') }}
        and {{ is_first_telling('action_outcomes', 'outcome_id') }}
        and is_done and contact_id is null

),

complaints as (

    select * from {{ ref('stg_branch__complaints') }}
    where {{ dates_of_run('business_date') }}
        and {{ is_first_telling('complaints', 'complaint_id') }}

)

select
    cast('rm:' || contact_id as varchar) as contact_id,
    cast('rm_contact' as varchar) as contact_kind,
    party_key,
    business_date,
    contact_at,
    cast({{ channel_name('channel') }} as varchar) as channel,
    purpose,
    outcome,
    rm_id,
    cast(null as varchar) as campaign_id,
    cast(null as varchar) as product_code,
    cast(null as integer) as severity,
    cast(null as decimal(18, 2)) as cost_amount,
    _known_date as known_date
from rm_contacts

union all

select
    cast('campaign:' || touch_id as varchar) as contact_id,
    cast('campaign_touch' as varchar) as contact_kind,
    party_key,
    business_date,
    touched_at as contact_at,
    cast({{ channel_name('channel') }} as varchar) as channel,
    cast('sales' as varchar) as purpose,
    null as outcome,
    null as rm_id,
    campaign_id,
    product_code,
    null as severity,
    cost as cost_amount,
    _known_date as known_date
from campaign_touches

union all

select
    cast('action:' || outcome_id as varchar) as contact_id,
    cast('action' as varchar) as contact_kind,
    party_key,
    business_date,
    cast(business_date as timestamp) as contact_at,
    cast({{ channel_name('channel') }} as varchar) as channel,
    cast({{ action_purpose('action_kind') }} as varchar) as purpose,
    outcome,
    null as rm_id,
    null as campaign_id,
    null as product_code,
    null as severity,
    cast(null as decimal(18, 2)) as cost_amount,
    _known_date as known_date
from actions

union all

select
    cast('complaint:' || complaint_id as varchar) as contact_id,
    cast('complaint' as varchar) as contact_kind,
    party_key,
    business_date,
    received_at as contact_at,
    cast({{ channel_name('channel') }} as varchar) as channel,
    category as purpose,
    null as outcome,
    null as rm_id,
    null as campaign_id,
    null as product_code,
    severity,
    cast(null as decimal(18, 2)) as cost_amount,
    _known_date as known_date
from complaints
