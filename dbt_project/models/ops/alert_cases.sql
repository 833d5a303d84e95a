with cases as (
    select * from {{ ref('stg_lake__alert_cases') }}
)

select
    rule,
    case_key,
    receivers,
    last_told_at,
    acknowledged_by,
    acknowledged_at,
    acknowledged_why,
    is_changed
from cases
