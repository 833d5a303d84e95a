{{ config(schema='build_intermediate', contract={'enforced': false}) }}

{% set counts_90d = [
    'app_login', 'web_login', 'product_view', 'application', 'help', 'close_account_view',
    'visit', 'account_visit', 'wealth_visit', 'cash_visit', 'loan_visit',
    'contact', 'reached_contact', 'retention_contact', 'refused_contact', 'touch', 'response', 'mall_order',
] %}
{% set counts_180d = ['complaint', 'severe_complaint', 'opt_out'] %}
{% set counts_30d = ['app_login', 'web_login', 'product_view', 'close_account_view', 'visit', 'contact', 'touch'] %}
{% set recencies = {'online_login': 'app_login_count + web_login_count', 'visit': 'visit_count', 'contact': 'reached_contact_count'} %}

with party_days as (
    select * from {{ ref('int_features__party_days') }}
),

as_of_days as (
    select * from {{ ref('int_features__as_of_days') }}
),

identity as (
    select * from {{ ref('int_features__identity_known') }}
),

summed_by_party as (
    select
        as_of_days.as_of_date,
        party_days.party_key
        {%- for name in counts_30d %},
        sum({{ name }}_count) filter (where days_ago < 30) as {{ name }}_30d_count
        {%- endfor %}{% for name in counts_90d %},
        sum({{ name }}_count) filter (where days_ago < 90) as {{ name }}_90d_count
        {%- endfor %}{% for name in counts_180d %},
        sum({{ name }}_count) as {{ name }}_180d_count
        {%- endfor %}{% for name, expression in recencies.items() %},
        min(days_ago) filter (where {{ expression }} > 0) as days_since_{{ name }}
        {%- endfor %},
        sum(app_login_count + web_login_count) filter (where days_ago >= 90) as login_previous_90d_count
    from party_days
    inner join as_of_days
        on party_days.business_date = as_of_days.business_date
        and party_days.known_date <= as_of_days.as_of_date
        and (party_days.superseded_date is null or party_days.superseded_date > as_of_days.as_of_date)
    group by as_of_days.as_of_date, party_days.party_key
)

select
    summed_by_party.as_of_date,
    identity.customer_key
    {%- for name in counts_30d %},
    cast(coalesce(sum({{ name }}_30d_count), 0) as bigint) as {{ name }}_30d_count
    {%- endfor %}{% for name in counts_90d %},
    cast(coalesce(sum({{ name }}_90d_count), 0) as bigint) as {{ name }}_90d_count
    {%- endfor %}{% for name in counts_180d %},
    cast(coalesce(sum({{ name }}_180d_count), 0) as bigint) as {{ name }}_180d_count
    {%- endfor %}{% for name in recencies %},
    min(days_since_{{ name }}) as days_since_{{ name }}
    {%- endfor %},
    cast(coalesce(sum(login_previous_90d_count), 0) as bigint) as login_previous_90d_count
from summed_by_party
inner join identity
    on summed_by_party.as_of_date = identity.as_of_date
    and summed_by_party.party_key = identity.party_key
group by summed_by_party.as_of_date, identity.customer_key
