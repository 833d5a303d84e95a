{{ config(meta={'partition_by': 'as_of_date'}) }}

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
from {{ ref('stg_lake__model_monitoring') }}
