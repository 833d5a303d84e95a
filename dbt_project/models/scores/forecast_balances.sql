with forecasts as (

    select * from {{ ref('stg_lake__forecast_balances') }}

),

accuracy as (

    select * from {{ ref('forecast_accuracy') }}

)

select
    forecasts.measure,
    forecasts.level as series_level,
    forecasts.branch_code,
    forecasts.product_family,
    forecasts.as_of_date,
    forecasts.horizon_weeks,
    forecasts.week_end_date,
    cast(forecasts.mean_amount as decimal(38, 2)) as mean_amount,
    {%- for coverage, statuses in [('80', "'holds', 'holds_80_only'"), ('95', "'holds'")] %}
    {%- for end in ['lower', 'upper'] %}
    case
        when accuracy.interval_status in ({{ statuses }})
            then cast(forecasts.{{ end }}_{{ coverage }}_amount as decimal(38, 2))
    end as {{ end }}_{{ coverage }}_amount,
    {%- endfor %}
    {%- endfor %}
    cast(forecasts.baseline_amount as decimal(38, 2)) as baseline_amount,
    forecasts.model,
    forecasts.baseline,
    accuracy.interval_status,
    accuracy.interval_sentence_en,
    accuracy.interval_sentence_zh
from forecasts
left join accuracy
    on forecasts.measure = accuracy.measure
        and forecasts.level = accuracy.series_level
        and forecasts.horizon_weeks >= accuracy.first_horizon_weeks
        and forecasts.horizon_weeks <= accuracy.last_horizon_weeks
