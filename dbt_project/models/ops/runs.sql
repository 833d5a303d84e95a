with steps as (
    select * from {{ ref('stg_lake__run_steps') }}
)

select
    run_id,
    business_date,
    step,
    status,
    started_at,
    ended_at,
    cast(extract(epoch from (ended_at - started_at)) as double precision) as duration_seconds,
    error,
    detail
from steps
