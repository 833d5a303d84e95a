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
        horizon_weeks,
        model,
        baseline,
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
        coverage_80,
        coverage_95
    from source

)

select * from renamed
