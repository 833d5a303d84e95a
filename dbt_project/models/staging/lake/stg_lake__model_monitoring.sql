-- Drift and calibration of the models, of the last days.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'model_monitoring') }}

),

renamed as (

    select
        task,
        as_of_date,
        model_version,
        measure,
        feature,
        measured_date,
        value,
        threshold,
        is_alert,
        row_count,
        promised_rate,
        observed_rate,
        observed_low_rate,
        observed_high_rate,
        quarter_low_rate,
        quarter_high_rate
    from source

)

select * from renamed
