{{ config(
    materialized='incremental', incremental_strategy='replace_dates', date_column='as_of_date', whole_months=true,
    on_schema_change='fail'
) }}
-- Grain: party and month; the current month stands at the business date.
with touches as (

    select
        *,
        least(cast({{ dbt.last_day('business_date', 'month') }} as date), {{ date_literal(var('business_date')) }})
            as as_of_date
    from {{ ref('int_activity__touches') }}
    where {{ months_of_run('business_date') }}
        and party_key is not null

)

select
    party_key,
    as_of_date,
    {% for channel in var('channels') -%}
    cast(sum(case when channel = '{{ channel }}' then 1 else 0 end) as bigint) as {{ channel }}_count,
    {% endfor -%}
    cast(sum(case when touch_kind = 'complaint' then 1 else 0 end) as bigint) as complaint_count,
    max(case when is_own then business_date end) as last_activity_date
from touches
group by party_key, as_of_date
