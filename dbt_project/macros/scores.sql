{# Every score of a task, as it was scored. The measure of a task with a treatment is the uplift: what the treatment
   changes. #}
{% macro score_history(task, measure='probability') %}
select
    {{ score_columns() | replace('probability', 'probability as ' ~ measure) }}
from {{ ref('stg_lake__scores') }}
where task = '{{ task }}'
{% endmacro %}

{# The scores of the latest as-of date of a task (of each value of `kind`, a column), one per customer of today: of
   records that have become one customer since, the highest probability (or other measure) stands. `use` is SQL of the
   name in the seed purposes_of_use, by default the task's: whoever refuses its purpose has none. #}
{% macro score_latest(task, kind="'one'", measure='probability', use=none) %}
with scores as (
    select {{ kind }} as kind, history.* from {{ ref(task) }} as history
),

links as (
    select * from {{ ref('int_party__customers') }}
),

latest as (
    select scores.*
    from scores
    inner join (select kind, max(as_of_date) as as_of_date from scores group by kind) as last_dates
        on scores.kind = last_dates.kind and scores.as_of_date = last_dates.as_of_date
),

resolved as (
    select
        links.customer_key as today_customer_key,
        latest.*,
        row_number() over (
            partition by latest.kind, links.customer_key order by latest.{{ measure }} desc, latest.customer_key
        ) as place
    from latest
    inner join links on latest.customer_key = links.party_key
)

select
    {%- if kind != "'one'" %}
    {{ kind }},
    {%- endif %}
    today_customer_key as customer_key,
    {{ score_columns(without=['customer_key'], measure=measure) }}
from resolved
where place = 1 and {{ is_not_refused('resolved.today_customer_key', 'score', use or "'" ~ task ~ "'") }}
{% endmacro %}

{% macro score_columns(without=[], measure='probability') -%}
    {{ [
        'customer_key', 'as_of_date', 'horizon_days', measure, 'band', 'rank',
        'reason_1_code', 'reason_1_value', 'reason_1_reference',
        'reason_2_code', 'reason_2_value', 'reason_2_reference',
        'reason_3_code', 'reason_3_value', 'reason_3_reference',
        'model_name', 'model_version', 'feature_version', 'scored_at',
    ] | reject('in', without) | join(',\n    ') }}
{%- endmacro %}
