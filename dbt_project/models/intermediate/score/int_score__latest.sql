{{ config(tags=['serving']) }}
-- Grain: score and customer of today: the latest score of each task. Of records that have become one customer since,
-- the highest stands. A curve stands with its last horizon, as the table of the score has it.
with tasks as (

    {% for entry in score_tasks() -%}
    select
        '{{ entry.task }}' as task,
        '{{ entry.en }}' as task_en,
        '{{ entry.zh }}' as task_zh,
        '{{ entry.measure }}' as measure,
        {{ entry.horizon_days }} as horizon_days,
        {{ entry.is_dated }} as is_dated,
        {{ entry.is_curve }} as is_curve
    {{ 'union all ' if not loop.last }}
    {% endfor %}
),

curves as (

    select * from {{ ref('int_score__survival_curves') }}

),

scores as (

    select
        history.*,
        case when tasks.is_curve then 1 - curves.stay_365d_rate else history.probability end as score,
        tasks.task_en,
        tasks.task_zh,
        tasks.measure,
        tasks.is_dated
    from {{ ref('stg_lake__scores') }} as history
    inner join tasks on history.task = tasks.task and history.horizon_days = tasks.horizon_days
    left join curves
        on tasks.is_curve
            and history.customer_key = curves.customer_key
            and history.as_of_date = curves.as_of_date
            and history.model_version = curves.model_version

),

last_dates as (

    select
        task,
        max(as_of_date) as as_of_date
    from scores
    group by task

),

latest as (

    select scores.*
    from scores
    inner join last_dates
        on scores.task = last_dates.task and scores.as_of_date = last_dates.as_of_date

),

resolved as (

    select
        links.customer_key as today_customer_key,
        latest.*,
        row_number() over (
            partition by latest.task, links.customer_key order by latest.score desc, latest.customer_key
        ) as place
    from latest
    inner join {{ ref('int_party__customers') }} as links on latest.customer_key = links.party_key

)

select
    cast(task as varchar) as task,
    cast(task_en as varchar) as task_en,
    cast(task_zh as varchar) as task_zh,
    today_customer_key as customer_key,
    resolved.customer_key as scored_customer_key,
    as_of_date,
    horizon_days,
    cast(measure as varchar) as measure,
    is_dated,
    score,
    probability as model_probability,
    band,
    rank,
    {%- for place in [1, 2, 3] %}
    reason_{{ place }}_code,
    reason_{{ place }}_value,
    reason_{{ place }}_reference,
    {%- endfor %}
    model_version
from resolved
where place = 1 and {{ is_not_refused('resolved.today_customer_key', 'score', 'resolved.task') }}
