with rejects as (
    select * from {{ ref('stg_lake__rejects') }}
)

select
    feed,
    period,
    version,
    file as source_file,
    {{ adapter.quote('row') }} as source_row,
    column_name,
    reason
from rejects
