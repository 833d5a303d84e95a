{{ config(meta={'partition_by': 'as_of_date'}) }}

with positions as (

    select positions.*
    from {{ ref('int_customer__positions') }} as positions
    inner join {{ ref('dim_date') }} as dates on positions.as_of_date = dates.date_day
    where dates.is_month_end

)

select
    customer_key,
    as_of_date,
    deposit_amount,
    investment_amount,
    aum_amount,
    average_aum_3m_amount,
    star_tier,
    life_cycle_stage,
    asset_count,
    {% for channel in var('channels') -%}
    {{ channel }}_count,
    {% endfor -%}
    complaint_count,
    last_activity_date
from positions
