-- noqa: disable=LT02
{% set counts = [
    'app_login', 'web_login', 'product_view', 'application', 'help', 'close_account_view', 'mall_order',
    'page_view', 'visit', 'account_visit', 'wealth_visit', 'complaint_visit', 'contact', 'retention_contact', 'touch',
    'response', 'complaint', 'transfer_view', 'balance_view',
] %}
{% for line in product_lines() %}{% do counts.append(line ~ '_page') %}{% endfor %}
{% set half_year_only = ['complaint', 'page_view', 'complaint_visit', 'transfer_view', 'balance_view'] %}
{% set windows = {
    '30d': {'stretches': 'stretch = 1', 'counts': ['app_login', 'close_account_view']},
    '90d': {
        'stretches': 'stretch <= 2',
        'counts': counts | reject('in', half_year_only) | list,
    },
    '180d': {'stretches': 'stretch <= 3', 'counts': [
        'app_login', 'web_login', 'page_view', 'product_view', 'application', 'help', 'close_account_view',
        'mall_order', 'transfer_view', 'balance_view',
        'visit', 'complaint_visit', 'complaint', 'response',
    ]},
} %}
{% set recencies = {
    'online_login': 'app_login_count + web_login_count',
    'visit': 'visit_count',
    'contact': 'reached_contact_count',
} %}

with party_days as (
    select * from {{ ref('int_party__activity_days_bitemporal') }}
),

as_of_days as (
    select
        *,
        case when days_ago < 30 then 1 when days_ago < 90 then 2 else 3 end as stretch
    from {{ ref('int_calendar__as_of_days') }}
),

identity as (
    select * from {{ ref('int_party__customers_known_on_as_of_dates') }}
),

summed_by_stretch as (
    select
        as_of_days.as_of_date,
        as_of_days.stretch,
        party_days.party_key
        {%- for name in counts %},
        sum(party_days.{{ name }}_count) as {{ name }}_count
        {%- endfor %}{% for name, expression in recencies.items() %},
        min(case when {{ expression }} > 0 then as_of_days.days_ago end) as days_since_{{ name }}
        {%- endfor %}
    from party_days
    inner join as_of_days
        on party_days.business_date = as_of_days.business_date
            and party_days.known_date <= as_of_days.as_of_date
            and (party_days.superseded_date is null or party_days.superseded_date > as_of_days.as_of_date)
    group by as_of_days.as_of_date, as_of_days.stretch, party_days.party_key
)

select
    summed_by_stretch.as_of_date,
    identity.customer_key
    {%- for window, summed in windows.items() %}{% for name in summed.counts %},
    cast(coalesce(sum({{ name }}_count) filter (where {{ summed.stretches }}), 0) as bigint)
        as {{ name }}_count_{{ window }}
    {%- endfor %}{% endfor %}{% for name in recencies %},
    min(days_since_{{ name }}) as days_since_{{ name }}
    {%- endfor %}
from summed_by_stretch
inner join identity
    on summed_by_stretch.as_of_date = identity.as_of_date
        and summed_by_stretch.party_key = identity.party_key
group by summed_by_stretch.as_of_date, identity.customer_key
