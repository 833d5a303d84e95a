with dead_letters as (
    select * from {{ ref('stg_lake__activation_dead_letters') }}
)

select
    activation,
    row_key,
    reason,
    change_kind,
    publish_id,
    error
from dead_letters
