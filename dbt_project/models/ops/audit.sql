with records as (
    select * from {{ ref('stg_lake__audit') }}
)

select
    record_number,
    happened_at,
    record_kind,
    done_by,
    subject,
    detail,
    old_sha256,
    new_sha256,
    previous_hash,
    record_hash
from records
