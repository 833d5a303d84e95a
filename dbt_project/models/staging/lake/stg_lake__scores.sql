-- Scores of all tasks, as scored.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'scores') }}

),

renamed as (

    select
        task,
        customer_key,
        as_of_date,
        horizon_days,
        probability,
        band,
        rank,
        reason_1_code,
        reason_1_value,
        reason_1_reference,
        reason_2_code,
        reason_2_value,
        reason_2_reference,
        reason_3_code,
        reason_3_value,
        reason_3_reference,
        model_name,
        model_version,
        feature_version,
        scored_at
    from source

)

select * from renamed
