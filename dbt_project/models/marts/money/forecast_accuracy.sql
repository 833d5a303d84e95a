{{ config(tags=['serving']) }}
select
    measure,
    level as series_level,
    as_of_date,
    horizon_weeks,
    series_count,
    origin_count,
    model,
    baseline,
    mae_amount,
    mae_low_amount,
    mae_high_amount,
    mase,
    baseline_mae_amount,
    naive_mae_amount,
    skill,
    skill_low,
    skill_high,
    skill < 0 as is_baseline_better,
    coverage_80,
    coverage_95
from {{ ref('stg_lake__forecast_accuracy') }}
