-- Forecasts of weekly balances and outflows.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'forecast_balances') }}

),

renamed as (

    select
        measure,
        level,
        as_of_date,
        model,
        baseline,
        branch_code,
        product_family,
        horizon_weeks,
        week_end_date,
        mean_amount,
        lower_80_amount,
        upper_80_amount,
        lower_95_amount,
        upper_95_amount,
        baseline_amount
    from source

)

select * from renamed
