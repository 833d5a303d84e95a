{{ config(tags=['serving']) }}
{%- set held = ['home_branch_code', 'rm_id', 'party_type', 'star_tier'] %}
-- By what customers were before: who has left has no manager any more, and the lowest tier.
with positions as (

    select
        customer_key,
        as_of_date,
        life_cycle_stage,
        {% for column in held -%}
        lag({{ column }}) over by_date as {{ column }},
        {% endfor -%}
        lag(life_cycle_stage) over by_date as previous_life_cycle_stage
    from {{ ref('customer_positions') }}
    window by_date as (partition by customer_key order by as_of_date)

)

select
    as_of_date,
    {% for column in held -%}
    {{ column }},
    {% endfor -%}
    as_of_date = cast({{ dbt.last_day('as_of_date', 'month') }} as date) as is_whole_month,
    cast(count(*) as bigint) as customer_count,
    cast(sum(case when life_cycle_stage = 'lost' then 1 else 0 end) as bigint) as left_count
from positions
where previous_life_cycle_stage not in ('prospect', 'lost')
group by
    {% for column in held -%}
    {{ column }},
    {% endfor -%}
    as_of_date
