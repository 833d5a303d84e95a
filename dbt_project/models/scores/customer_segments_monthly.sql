-- By one model, that of today: a customer who changes groups has changed, not the model.
select
    assigned.customer_key,
    assigned.as_of_date,
    assigned.segment_id,
    named.segment_name_en,
    named.segment_name_zh,
    assigned.model_version
from {{ ref('stg_lake__segments') }} as assigned
inner join {{ ref('stg_lake__segment_groups') }} as named on assigned.segment_id = named.segment_id
where {{ is_not_refused('assigned.customer_key', 'score', "'customer_segments'") }}
    and assigned.as_of_date = cast({{ dbt.last_day('assigned.as_of_date', 'month') }} as date)
