-- noqa: disable=LT02
{{ config(
    materialized='incremental', incremental_strategy='replace_dates', on_schema_change='fail',
) }}

{% set condition = dates_of_run('business_date') %}
{% set measures = {
    'app': {
        'app_login_count': "platform = 'app' and event_name = 'login'",
        'web_login_count': "platform = 'web' and event_name = 'login'",
        'product_view_count': "event_name = 'product_view'",
        'application_count': "event_name in ('apply_start', 'apply_finish')",
        'help_count': "event_name = 'help'",
        'transfer_view_count': "event_name = 'transfer'",
        'balance_view_count': "event_name = 'balance'",
        'close_account_view_count': "event_name = 'close_account_view'",
        'page_view_count': "event_name <> 'login'",
    },
    'visit': {
        'visit_count': 'true',
        'account_visit_count': "service_type = 'account'",
        'wealth_visit_count': "service_type = 'wealth'",
        'complaint_visit_count': "service_type = 'complaint'",
    },
    'contact': {
        'contact_count': 'true',
        'reached_contact_count': "outcome <> 'not_reached'",
        'retention_contact_count': "purpose = 'retention'",
    },
    'complaint': {'complaint_count': 'true'},
    'touch': {'touch_count': "arm = 'treatment'"},
    'response': {'response_count': "response <> 'opted_out'"},
    'order': {'mall_order_count': "status = 'paid'"},
} %}
{% for line in product_lines() %}
{% do measures['app'].update({line ~ '_page_count': "event_name <> 'login' and product_line = '" ~ line ~ "'"}) %}
{% endfor %}

with app_spans as (
{{ event_spans(
    'app_events', ref('stg_online__app_events_versions'), 'event_id',
    ['party_key', 'platform', 'event_name', 'product_code'], condition,
) }}
),

app_rows as (
    select app_spans.*, lines.product_line
    from app_spans
    left join {{ ref('stg_reference__products') }} as products on app_spans.product_code = products.product_code
    left join {{ ref('product_lines') }} as lines on products.product_family = lines.product_family
),

visit_rows as (
{{ event_spans('branch_visits', ref('stg_branch__branch_visits_versions'), 'ticket_id', ['party_key', 'service_type'],
    condition ~ ' and party_key is not null') }}
),

rm_contact_spans as (
{{ event_spans(
    'rm_contacts', ref('stg_branch__rm_contacts_versions'), 'contact_id', ['party_key', 'purpose', 'outcome'], condition
) }}
),

action_spans as (
{{ event_spans('action_outcomes', ref('stg_feedback__action_outcomes_versions'), 'outcome_id',
    ['party_key', 'action_kind', 'outcome', 'contact_id'], condition ~ ' and is_done') }}
),

contact_rows as (
    select party_key, business_date, known_date, superseded_date, purpose, outcome
    from rm_contact_spans
    union all
    select
        party_key,
        business_date,
        known_date,
        superseded_date,
        {{ action_purpose('action_kind') }} as purpose,
        outcome
    from action_spans
    where contact_id is null
),

complaint_rows as (
    {{ event_spans('complaints', ref('stg_branch__complaints_versions'), 'complaint_id', ['party_key'], condition) }}
),

touch_rows as (
{{ event_spans(
    'campaign_touches', ref('stg_online__campaign_touches_versions'), 'touch_id', ['party_key', 'arm'], condition
) }}
),

touched_parties as (
    select touch_id, min(party_key) as party_key
    from {{ ref('stg_online__campaign_touches_versions') }}
    group by touch_id
),

response_spans as (
{{ event_spans(
    'campaign_responses', ref('stg_online__campaign_responses_versions'), 'response_id', ['touch_id', 'response'],
    condition
) }}
),

response_rows as (
    select
        touched_parties.party_key,
        response_spans.business_date,
        response_spans.known_date,
        response_spans.superseded_date,
        response_spans.response
    from response_spans
    inner join touched_parties on response_spans.touch_id = touched_parties.touch_id
    union all
    select party_key, business_date, known_date, superseded_date, outcome as response
    from action_spans
    where outcome in ('accepted', 'promised')
),

order_rows as (
{{ event_spans(
    'mall_orders', ref('stg_online__mall_orders_versions'), 'order_id', ['party_key', 'status'], condition
) }}
),

counted as (
    {%- for source, own_measures in measures.items() %}
    select
        party_key,
        business_date,
        known_date,
        superseded_date
        {%- for other, its_measures in measures.items() %}{% for measure, test in its_measures.items() %},
        cast({% if other == source %}count(*) filter (where {{ test }}){% else %}0{% endif %} as integer)
            as {{ measure }}
        {%- endfor %}{% endfor %}
    from {{ source }}_rows
    group by party_key, business_date, known_date, superseded_date
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

days as (
    select
        party_key,
        business_date,
        known_date,
        superseded_date
        {%- for its_measures in measures.values() %}{% for measure in its_measures %},
        cast(sum({{ measure }}) as integer) as {{ measure }}
        {%- endfor %}{% endfor %}
    from counted
    group by party_key, business_date, known_date, superseded_date
)

select * from days
