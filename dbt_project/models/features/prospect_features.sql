-- noqa: disable=LT02
{{ config(
    materialized='incremental', incremental_strategy='replace_as_of_dates', on_schema_change='fail',
    meta={'partition_by': 'as_of_date'},
) }}

{% set dates = ref('int_calendar__as_of_dates') %}
{% set interests = {
    'deposits': ['current', 'savings', 'fixed_deposit', 'step_up_deposit', 'principal_protected', 'structured_deposit'],
    'investments': ['fixed_term_wealth', 'long_term_wealth', 'fund', 'precious_metal'],
    'loans': ['loan', 'card'],
} %}

with identity as (
    select * from {{ ref('int_party__customers_known_on_as_of_dates') }}
),

leads as (
    select dates.as_of_date, leads.party_key, leads.business_date, leads.interest, leads.cost
    from {{ ref('stg_online__social_leads_versions') }} as leads
    inner join {{ dates }} as dates
        on {{ is_known_on('leads', 'dates.as_of_date') }} and leads.business_date <= dates.as_of_date
),

registrations as (
    {{ states_known_on(ref('stg_online__registrations_versions'), 'user_id', dates, 'as_of_date') }}
),

known_customers as (
    select as_of_date, customer_key
    from identity
    where party_key like 'cif:%'
    group by as_of_date, customer_key
),

contacts as (
    select
        as_of_date,
        party_key,
        business_date as contact_date,
        1 as is_lead,
        cost as cost_amount,
        0 as is_marketing_opt_out
        {%- for interest, families in interests.items() %},
        case when interest in ('{{ families | join("', '") }}') then 1 else 0 end as is_interested_in_{{ interest }}
        {%- endfor %}
    from leads
    union all
    select
        state_date as as_of_date,
        party_key,
        cast(registered_at as date) as contact_date,
        0 as is_lead,
        0 as cost_amount,
        case when is_marketing_opt_out then 1 else 0 end as is_marketing_opt_out
        {%- for interest in interests %},
        0 as is_interested_in_{{ interest }}
        {%- endfor %}
    from registrations
),

prospects as (
    select
        identity.as_of_date,
        identity.customer_key,
        sum(contacts.is_lead) as lead_count,
        sum(1 - contacts.is_lead) as registration_count,
        sum(contacts.cost_amount) as lead_cost_amount,
        min({{ days_between('contacts.contact_date', 'contacts.as_of_date') }}) as days_since_contact,
        max({{ days_between('contacts.contact_date', 'contacts.as_of_date') }}) as days_since_first_contact,
        max(contacts.is_marketing_opt_out) as is_marketing_opt_out
        {%- for interest in interests %},
        max(contacts.is_interested_in_{{ interest }}) as is_interested_in_{{ interest }}
        {%- endfor %}
    from contacts
    inner join identity on contacts.as_of_date = identity.as_of_date and contacts.party_key = identity.party_key
    left join known_customers
        on identity.as_of_date = known_customers.as_of_date and identity.customer_key = known_customers.customer_key
    where known_customers.customer_key is null
    group by identity.as_of_date, identity.customer_key
)

select
    prospects.customer_key,
    prospects.as_of_date,
    cast(prospects.lead_count as double precision) as lead_count,
    cast(prospects.registration_count as double precision) as registration_count,
    cast(prospects.lead_cost_amount as double precision) as lead_cost_amount,
    cast(prospects.days_since_contact as double precision) as days_since_prospect_contact,
    cast(prospects.days_since_first_contact as double precision) as days_since_first_contact,
    {%- for interest in interests %}
    cast(prospects.is_interested_in_{{ interest }} as double precision) as is_interested_in_{{ interest }},
    {%- endfor %}
    cast(coalesce(activity.app_login_count_30d, 0) as double precision) as app_login_count_30d,
    cast(coalesce(activity.app_login_count_90d, 0) as double precision) as app_login_count_90d,
    cast(coalesce(activity.product_view_count_90d, 0) as double precision) as product_view_count_90d,
    cast(coalesce(activity.application_count_90d, 0) as double precision) as application_count_90d,
    cast(coalesce(activity.mall_order_count_90d, 0) as double precision) as mall_order_count_90d,
    cast(coalesce(activity.days_since_online_login, 180) as double precision) as days_since_online_login,
    cast(prospects.is_marketing_opt_out as double precision) as is_marketing_opt_out
from prospects
left join {{ ref('int_customer__activity_known_on_as_of_dates') }} as activity
    on prospects.as_of_date = activity.as_of_date and prospects.customer_key = activity.customer_key
where prospects.days_since_contact < 360
