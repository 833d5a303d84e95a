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

complaints as (

    select * from {{ ref('stg_branch__complaints') }}
    where {{ dates_of_run('business_date') }}
        and {{ is_first_telling('complaints', 'complaint_id') }}

)

select
    'rm:' || contact_id as contact_id,
    'rm_contact' as contact_kind,
    party_key,
    business_date,
    contact_at,
    channel,
    purpose,
    outcome,
    rm_id,
    null as campaign_id,
    null as product_code,
    cast(null as integer) as severity,
    cast(null as decimal(18,2)) as cost_amount,
    _known_date as known_date
from rm_contacts

union all

select
    'campaign:' || touch_id as contact_id,
    'campaign_touch' as contact_kind,
    party_key,
    business_date,
    touched_at as contact_at,
    channel,
    'sales' as purpose,
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
    'complaint:' || complaint_id as contact_id,
    'complaint' as contact_kind,
    party_key,
    business_date,
    received_at as contact_at,
    channel,
    category as purpose,
    null as outcome,
    null as rm_id,
    null as campaign_id,
    null as product_code,
    severity,
    null as cost_amount,
    _known_date as known_date
from complaints
