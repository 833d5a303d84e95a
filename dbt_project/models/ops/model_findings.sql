{%- set today = date_literal(var('business_date')) %}

select
    cast(task as varchar) as model,
    cast(model_version as varchar) as model_version,
    {{ today }} as business_date,
    cast(attribute as varchar) as attribute,
    cast(measure as varchar) as measure,
    cast(groups_compared as varchar) as groups_compared,
    value,
    low_value,
    high_value,
    threshold,
    row_count,
    measured_date,
    found_date,
    due_date,
    cast(remedy as varchar) as remedy,
    cast(state as varchar) as state,
    state <> 'replaced' and due_date < {{ today }} as is_overdue
from {{ ref('int_score__findings') }}
