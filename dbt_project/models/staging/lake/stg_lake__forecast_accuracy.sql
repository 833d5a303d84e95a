-- Accuracy of the forecasts in a backtest with rolling origin.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'forecast_accuracy') }}

),

renamed as (

    select
        measure,
        level,
        as_of_date,
        model,
        baseline,
        first_horizon_weeks,
        last_horizon_weeks,
        candidate,
        series_count,
        origin_count,
        mae_amount,
        mae_low_amount,
        mae_high_amount,
        mase,
        baseline_mae_amount,
        naive_mae_amount,
        skill,
        skill_low,
        skill_high,
        interval_origin_count,
        coverage_80,
        coverage_80_low,
        coverage_80_high,
        coverage_95
    from source

)

select * from renamed
