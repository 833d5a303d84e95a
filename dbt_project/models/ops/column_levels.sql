with levels as (
    select * from {{ ref('stg_lake__column_levels') }}
)

select
    schema_name,
    table_name,
    column_name,
    security_level,
    level_of_sources,
    reason,
    reviewer
from levels
