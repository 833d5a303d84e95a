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
    is_alert
from {{ ref('stg_lake__model_monitoring') }}
