-- noqa: disable=LT02
{{ config(tags=['serving']) }}
with judged as (

    select
        *,
        case
            when candidate = baseline or skill is null then 'baseline_only'
            when skill <= 0 then 'baseline_better'
            when skill_low <= 0 then 'may_be_chance'
            else 'better'
        end as skill_status,
        case
            when interval_origin_count < {{ limit('forecast_limits', 'least_origins') }} or coverage_80 is null
                then 'too_few_weeks'
            when coverage_80 < {{ limit('forecast_limits', 'least_coverage_80') }} then 'too_narrow'
            when coverage_80 > {{ limit('forecast_limits', 'most_coverage_80') }} then 'too_wide'
            when coverage_95 < {{ limit('forecast_limits', 'least_coverage_95') }} then 'holds_80_only'
            else 'holds'
        end as interval_status
    from {{ ref('stg_lake__forecast_accuracy') }}

),

phrases as (

    select * from {{ ref('forecast_phrases') }}

)

select
    judged.measure,
    judged.level as series_level,
    judged.as_of_date,
    judged.first_horizon_weeks,
    judged.last_horizon_weeks,
    judged.series_count,
    judged.origin_count,
    judged.model,
    judged.baseline,
    judged.candidate,
    judged.mae_amount,
    judged.mae_low_amount,
    judged.mae_high_amount,
    judged.mase,
    judged.baseline_mae_amount,
    judged.naive_mae_amount,
    judged.skill,
    judged.skill_low,
    judged.skill_high,
    judged.skill_status in ('baseline_only', 'baseline_better') as is_baseline_published,
    judged.skill_status,
    {%- for language in ['en', 'zh'] %}
    replace(
        {{ forecast_sentence('skills.sentence_' ~ language, language, {
            'skill': 'judged.skill', 'low': 'judged.skill_low', 'high': 'judged.skill_high',
        }) }},
        '{baseline}', baselines.sentence_{{ language }}
    ) as skill_sentence_{{ language }},
    {%- endfor %}
    judged.interval_origin_count,
    judged.coverage_80,
    judged.coverage_80_low,
    judged.coverage_80_high,
    judged.coverage_95,
    judged.interval_status,
    {%- for language in ['en', 'zh'] %}
    replace(
        replace(
            {{ forecast_sentence('spans.sentence_' ~ language, language, {
                'coverage_80': 'judged.coverage_80', 'coverage_95': 'judged.coverage_95',
            }) }},
            '{origins}', cast(judged.interval_origin_count as varchar)
        ),
        '{least}', cast(cast({{ limit('forecast_limits', 'least_origins') }} as integer) as varchar)
    ) as interval_sentence_{{ language }}{{ ',' if not loop.last }}
    {%- endfor %}
from judged
left join phrases as baselines on baselines.subject = 'baseline' and judged.baseline = baselines.status
left join phrases as skills on skills.subject = 'skill' and judged.skill_status = skills.status
left join phrases as spans on spans.subject = 'interval' and judged.interval_status = spans.status
