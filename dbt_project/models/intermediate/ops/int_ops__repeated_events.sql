{{ config(
    materialized='incremental', incremental_strategy='replace_dates', date_column='last_business_date',
    on_schema_change='fail'
) }}
{#- An event is told once. Only keys of the run's dates are looked up in older ones; the first build groups all keys
   once. -#}
{%- set events = {
    'transactions': ('stg_branch__transactions_versions', 'txn_id'),
    'branch_visits': ('stg_branch__branch_visits_versions', 'ticket_id'),
    'rm_contacts': ('stg_branch__rm_contacts_versions', 'contact_id'),
    'complaints': ('stg_branch__complaints_versions', 'complaint_id'),
    'app_events': ('stg_online__app_events_versions', 'event_id'),
    'mall_orders': ('stg_online__mall_orders_versions', 'order_id'),
    'wallet_payments': ('stg_online__wallet_payments_versions', 'payment_id'),
    'campaign_touches': ('stg_online__campaign_touches_versions', 'touch_id'),
    'campaign_responses': ('stg_online__campaign_responses_versions', 'response_id'),
    'action_outcomes': ('stg_feedback__action_outcomes_versions', 'outcome_id'),
} -%}

with {% for feed, (model, key) in events.items() -%}
{{ feed }}_keys as (

    select {{ key }} as event_key
    from {{ ref(model) }}
    {%- if is_incremental() %}
    where {{ key }} in (select {{ key }} from {{ ref(model) }} where {{ dates_of_run('business_date') }})
    {%- endif %}
    group by {{ key }}
    having count(*) > 1

),

{% endfor -%}
tellings as (

    {% for feed, (model, key) in events.items() -%}
    select
        '{{ feed }}' as feed,
        versions.{{ key }} as event_key,
        versions.business_date,
        versions._known_date,
        versions._superseded_date,
        versions._delivery,
        versions._row
    from {{ ref(model) }} as versions
    inner join {{ feed }}_keys on versions.{{ key }} = {{ feed }}_keys.event_key
    {% if not loop.last %}union all
    {% endif %}
    {%- endfor %}
),

pairs as (

    select
        kept.feed,
        kept.event_key,
        kept._delivery as kept_delivery,
        kept._row as kept_row,
        dropped._delivery as dropped_delivery,
        dropped._row as dropped_row,
        greatest(kept.business_date, dropped.business_date) as last_business_date,
        dropped._known_date as valid_from,
        case
            when kept._superseded_date is null then dropped._superseded_date
            when dropped._superseded_date is null then kept._superseded_date
            else least(kept._superseded_date, dropped._superseded_date)
        end as valid_to
    from tellings as kept
    inner join tellings as dropped
        on kept.feed = dropped.feed
            and kept.event_key = dropped.event_key
            and (kept._known_date, kept._delivery, kept._row) < (dropped._known_date, dropped._delivery, dropped._row)

)

select * from pairs
where (valid_to is null or valid_from < valid_to)
    and {{ dates_of_run('last_business_date') }}
