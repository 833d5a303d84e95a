with assigned as (

    select * from {{ ref('stg_lake__segments') }}
    where as_of_date = {{ date_literal(var('business_date')) }}

),

previous as (

    -- the month-end before, by the same model
    select
        customer_key,
        segment_id
    from {{ ref('stg_lake__segments') }}
    where as_of_date = {{ days_before(date_literal(month_start(var('business_date'))), 1) }}

)

select
    assigned.customer_key,
    assigned.as_of_date,
    assigned.segment_id,
    named.segment_name_en,
    named.segment_name_zh,
    previous.segment_id as previous_segment_id,
    assigned.distance,
    assigned.confidence,
    assigned.model_version
from assigned
inner join {{ ref('stg_lake__segment_groups') }} as named on assigned.segment_id = named.segment_id
left join previous on assigned.customer_key = previous.customer_key
where {{ is_not_refused('assigned.customer_key', 'score', "'customer_segments'") }}
