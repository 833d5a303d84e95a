-- noqa: disable=LT02
-- Grain: customer, at the business date. What the contact policy goes by, before any limit is held against it.
{%- set today = date_literal(var('business_date')) %}
{#- own touches of 180 days by which a customer shows how he likes to talk to the bank; of equal ones the first #}
{%- set habits = {
    'phone': 'phone_count_180d + rm_count_180d',
    'branch': 'branch_count_180d',
    'app': 'app_count_180d + web_count_180d',
} %}
with positions as (

    select * from {{ ref('int_customer__position_today') }}

),

profiles as (

    select * from {{ ref('dim_customer') }}
    where is_current

),

links as (

    select * from {{ ref('int_party__customers') }}

),

managers as (

    select
        customer_key,
        min(rm_id) as rm_id
    from {{ ref('rm_assignment') }}
    where is_current and (rm_left_date is null or rm_left_date > {{ today }})
    group by customer_key

),

objections as (

    select * from {{ ref('int_customer__objections') }}

),

customers as (

    select
        positions.customer_key,
        positions.asset_count <= 0 and positions.first_opened_date is not null as is_closed,
        profiles.home_branch_code as branch_code,
        coalesce(profiles.is_marketing_opt_out, false) or coalesce(objections.is_opted_out, false) as is_opted_out,
        coalesce(objections.is_deceased, false) as is_deceased,
        coalesce(objections.is_in_collection, false) as is_in_collection,
        managers.rm_id,
        profiles.has_phone,
        profiles.has_email,
        {% for channel, count in habits.items() -%}
        {{ 'case when profiles.has_phone then ' if channel == 'phone' }}{{ count }}
            {{- ' else 0 end' if channel == 'phone' }} as {{ channel }}_count,
        {% endfor -%}
        positions.as_of_date
    from positions
    inner join profiles on positions.customer_key = profiles.customer_key
    left join managers on positions.customer_key = managers.customer_key
    left join objections on positions.customer_key = objections.customer_key

),

reachable as (

    select
        customers.*,
        case
            {%- for channel in habits %}
            when {{ channel }}_count > 0 and {{ channel }}_count = greatest(phone_count, branch_count, app_count)
                then '{{ channel }}'
            {%- endfor %}
            when has_phone then 'sms'
            when has_email then 'email'
        end as preferred_channel
    from customers

),

owned as (

    select
        reachable.*,
        case when rm_id is not null then 'rm' when preferred_channel = 'branch' then 'branch' else 'call_centre' end
            as owner
    from reachable

),

contacts as (

    select
        links.customer_key,
        contacts.contact_kind,
        contacts.business_date,
        -- a talk, not a try
        contacts.contact_kind in ('rm_contact', 'action')
        and contacts.purpose <> 'sales'
        and coalesce(contacts.outcome, '') <> 'not_reached' as is_service,
        case
            when contacts.contact_kind = 'rm_contact' then contacts.rm_id
            when contacts.contact_kind = 'campaign_touch' and contacts.channel = 'phone' then 'call_centre'
        end as contact_owner
    from {{ ref('fct_contacts') }} as contacts
    inner join links on contacts.party_key = links.party_key
    where contacts.business_date > {{ days_before(today, 90) }} and contacts.business_date <= {{ today }}

),

counts as (

    select
        owned.customer_key,
        sum(
            case
                when contacts.contact_kind <> 'complaint' and contacts.business_date > {{ days_before(today, 30) }}
                    then 1
                else 0
            end
        )
            as contact_count_30d,
        sum(case when contacts.contact_kind <> 'complaint' then 1 else 0 end) as contact_count_90d,
        max(case when contacts.contact_kind <> 'complaint' then contacts.business_date end) as last_contact_date,
        max(case when contacts.contact_kind = 'complaint' then contacts.business_date end) as last_complaint_date,
        max(case when contacts.is_service then contacts.business_date end) as last_service_date,
        max(case when contacts.contact_owner <> coalesce(owned.rm_id, owned.owner) then contacts.business_date end)
            as last_other_owner_date
    from owned
    inner join contacts on owned.customer_key = contacts.customer_key
    group by owned.customer_key

)

select
    owned.customer_key,
    owned.as_of_date as business_date,
    owned.is_deceased,
    owned.is_in_collection,
    owned.is_opted_out,
    owned.is_closed,
    cast(coalesce(counts.contact_count_30d, 0) as bigint) as contact_count_30d,
    cast(coalesce(counts.contact_count_90d, 0) as bigint) as contact_count_90d,
    counts.last_contact_date,
    counts.last_complaint_date,
    counts.last_service_date,
    counts.last_other_owner_date,
    coalesce(owned.has_phone, false) as has_phone,
    cast(owned.preferred_channel as varchar) as preferred_channel,
    cast(owned.owner as varchar) as owner,
    cast(owned.rm_id as varchar) as rm_id,
    cast(owned.branch_code as varchar) as branch_code
from owned
left join counts on owned.customer_key = counts.customer_key
