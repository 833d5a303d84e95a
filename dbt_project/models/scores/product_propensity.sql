{{ config(meta={'partition_by': 'as_of_date'}) }}

select
    cast(substring(task, 12) as varchar) as product_line,
    {{ score_columns() }}
from {{ ref('stg_lake__scores') }}
where task in ('propensity_{{ product_lines() | join("', 'propensity_") }}')
