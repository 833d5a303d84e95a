-- noqa: disable=LT02
{%- set days_ago = '-cast(least(reasons_of_places.reason_value, 36500) as integer)' %}
with scores as (

    select * from {{ ref('int_score__latest') }}

),

links as (

    select * from {{ ref('int_party__customers') }}

),

reasons_of_places as (

    {% for place in [1, 2, 3] -%}
    select
        task,
        customer_key,
        as_of_date,
        is_dated,
        cast({{ place }} as integer) as place,
        reason_{{ place }}_code as reason_code,
        reason_{{ place }}_value as reason_value,
        reason_{{ place }}_reference as reason_reference
    from scores
    where reason_{{ place }}_reference is not null
    {{ 'union all ' if not loop.last }}
    {% endfor %}
),

events as (

    select
        party_key,
        'complaint' as event,
        business_date
    from {{ ref('fct_contacts') }}
    where contact_kind = 'complaint'

    union all

    select
        party_key,
        'complaint_visit' as event,
        business_date
    from {{ ref('fct_branch_visits') }}
    where service_type = 'complaint'

),

last_events as (

    select
        days.customer_key,
        days.as_of_date,
        max(case when events.event = 'complaint' then events.business_date end) as complaint_date,
        max(case when events.event = 'complaint_visit' then events.business_date end) as complaint_visit_date
    from (select distinct customer_key, as_of_date from reasons_of_places) as days
    inner join links on days.customer_key = links.customer_key
    inner join events on links.party_key = events.party_key and events.business_date <= days.as_of_date
    where events.business_date > {{ days_before(date_literal(var('business_date')), 400) }}
    group by days.customer_key, days.as_of_date

),

reasons as (

    select
        reasons_of_places.*,
        cast({{ dbt.dateadd('day', days_ago, 'reasons_of_places.as_of_date') }} as date) as value_date,
        last_events.complaint_date,
        last_events.complaint_visit_date
    from reasons_of_places
    left join last_events
        on reasons_of_places.customer_key = last_events.customer_key
            and reasons_of_places.as_of_date = last_events.as_of_date

),

phrases as (

    select * from {{ ref('reason_phrases') }}

)

select
    reasons.task,
    reasons.customer_key,
    reasons.as_of_date,
    reasons.place,
    reasons.reason_code,
    reasons.reason_value,
    reasons.reason_reference,
    cast(case when reasons.reason_value > reasons.reason_reference then 'high' else 'low' end as varchar) as direction,
    {%- for language in ['en', 'zh'] %}
    cast(
        {{ reason_sentence(language) }} as varchar
    ) as sentence_{{ language }}{{ ',' if not loop.last }}
    {%- endfor %}
from reasons
inner join phrases on reasons.reason_code = phrases.reason_code
