{{ config(
    materialized='incremental', incremental_strategy='replace_dates', on_schema_change='fail',
    meta={'partition_by': 'business_date'},
    indexes=[{'columns': ['business_date']}] if target.type == 'postgres' else [],
) }}

with visits as (

    select * from {{ ref('stg_branch__branch_visits') }}
    where {{ dates_of_run('business_date') }}
        and {{ is_first_telling('branch_visits', 'ticket_id') }}

)

select
    ticket_id as visit_id,
    party_key,
    business_date,
    branch_code,
    service_type,
    queued_at,
    served_at,
    finished_at,
    cast({{ dbt.datediff('queued_at', 'served_at', 'second') }} as integer) as waiting_seconds,
    cast({{ dbt.datediff('served_at', 'finished_at', 'second') }} as integer) as service_seconds,
    _known_date as known_date
from visits
