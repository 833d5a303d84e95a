-- noqa: disable=LT02
with scores as (

    select * from {{ ref('int_score__latest') }}

),

sentences as (

    select
        task,
        customer_key,
        {%- for language in ['en', 'zh'] %}
        {%- for place in [1, 2, 3] %}
        max(case when place = {{ place }} then sentence_{{ language }} end) as reason_{{ place }}_{{ language }}
        {{- ',' if not (loop.last and language == 'zh') }}
        {%- endfor %}
        {%- endfor %}
    from {{ ref('score_reasons') }}
    group by task, customer_key

)

select
    scores.task,
    scores.task_en,
    scores.task_zh,
    scores.customer_key,
    scores.as_of_date,
    scores.horizon_days,
    scores.measure,
    scores.score,
    scores.band,
    scores.rank,
    {%- for language in ['en', 'zh'] %}
    cast(
        nullif(
            concat_ws('{{ "; " if language == "en" else "；" }}'
            {%- for place in [1, 2, 3] %}, sentences.reason_{{ place }}_{{ language }}{% endfor -%}
            ), ''
        ) as varchar
    ) as reason_{{ language }},
    {%- endfor %}
    scores.model_version
from scores
left join sentences on scores.task = sentences.task and scores.customer_key = sentences.customer_key
