{{ config(
    materialized='incremental', incremental_strategy='replace_dates', on_schema_change='fail',
    meta={'partition_by': 'business_date'},
) }}
select txn_id, account_no_token, business_date, txn_at, amount, direction, counterparty_account_token
from {{ ref('stg_branch__transactions') }}
where {{ dates_of_run('business_date') }}
