{{ config(
    materialized='incremental', incremental_strategy='replace_dates', date_column='ripe_date', on_schema_change='fail',
    meta={'partition_by': 'as_of_date'},
) }}

{{ label_line_churn('deposit', 'investment') }}
