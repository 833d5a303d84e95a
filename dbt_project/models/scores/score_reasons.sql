with phrases as (
    select * from {{ ref('reason_phrases') }}
),

reasons as (
    {%- for task in score_tasks() %}{% for place in [1, 2, 3] %}
    {{ 'union all ' if not (loop.first and task == score_tasks()[0]) -}}
    select
        '{{ task }}' as task,
        customer_key,
        as_of_date,
        {{ place }} as place,
        reason_{{ place }}_code as reason_code,
        reason_{{ place }}_value as reason_value
    from {{ ref(task ~ '_latest') }}
    {%- endfor %}{% endfor %}
)

select
    cast(reasons.task as varchar) as task,
    reasons.customer_key,
    reasons.as_of_date,
    cast(reasons.place as integer) as place,
    reasons.reason_code,
    reasons.reason_value,
    phrases.phrase_en,
    phrases.phrase_zh
from reasons
left join phrases on reasons.reason_code = phrases.reason_code
where reasons.reason_code is not null
