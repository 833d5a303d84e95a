with plans as (
    select * from {{ ref('stg_lake__activation_plans') }}
)

select
    activation,
    plan_number,
    table_name,
    target,
    publish_id,
    business_date,
    added,
    updated,
    deleted,
    delivered,
    refused,
    absent,
    attempts,
    is_closed,
    planned_at,
    last_answer_at,
    run_id
from plans
