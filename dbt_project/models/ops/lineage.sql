with origins as (
    select * from {{ ref('stg_lake__column_lineage') }}
)

select
    schema_name,
    table_name,
    column_name,
    source_kind,
    channel,
    source_name,
    source_column
from origins
