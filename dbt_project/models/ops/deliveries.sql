with outcomes as (
    select * from {{ ref('stg_lake__delivery_outcomes') }}
)

select
    delivery_id,
    feed,
    channel,
    period,
    version,
    load as load_kind,
    cutoff_date,
    outcome,
    reason,
    rows_delivered,
    rows_loaded,
    rows_quarantined,
    rows_erased,
    late_rows,
    min_business_date,
    max_business_date,
    superseded_date,
    files,
    source_hash
from outcomes
