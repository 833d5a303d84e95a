with messages as (
    select * from {{ ref('stg_lake__alert_messages') }}
)

select
    message_number,
    message_id,
    rule,
    severity,
    receiver,
    target,
    case_count,
    outcome,
    attempts,
    error,
    publish_id,
    business_date,
    sent_at,
    run_id
from messages
