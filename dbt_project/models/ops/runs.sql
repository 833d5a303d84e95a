with steps as (
    select * from {{ ref('stg_lake__run_steps') }}
),

placed as (
    select
        *,
        max(ended_at) over (partition by business_date, step) as last_ended_at,
        -- the last publish of its business date or a later one
        max(case when step = 'serve' and status = 'success' then ended_at end)
            over (order by business_date desc)
            as last_served_at
    from steps
)

select
    run_id,
    business_date,
    step,
    status,
    started_at,
    ended_at,
    {{ seconds_between('started_at', 'ended_at') }} as duration_seconds,
    error,
    detail,
    status = 'failed'
    and ended_at = last_ended_at
    and (last_served_at is null or last_served_at <= ended_at) as is_open
from placed
