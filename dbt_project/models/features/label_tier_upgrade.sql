{{ config(
    materialized='incremental', incremental_strategy='replace_dates', date_column='ripe_date', on_schema_change='fail',
    meta={'partition_by': 'as_of_date'},
) }}

select
    customer_key,
    as_of_date,
    cast(90 as integer) as horizon_days,
    ripe_date,
    cast(case when star_tier_after > star_tier_before then 1 else 0 end as integer) as label
from {{ ref('int_customer__outcomes_known_on_ripe_dates') }}
where not has_left
