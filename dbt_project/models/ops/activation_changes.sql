with changes as (
    select * from {{ ref('stg_lake__activation_changes') }}
)

select
    activation,
    plan_number,
    place,
    event_id,
    table_name,
    publish_id,
    business_date,
    change_kind,
    row_key,
    row_hash,
    outcome
from changes
