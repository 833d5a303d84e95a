-- noqa: disable=LT02
-- depends_on: {{ ref('int_customer__histories') }}
{{ config(
    materialized='incremental', incremental_strategy='replace_histories', date_column='as_of_date', whole_months=true,
    on_schema_change='fail', meta={'partition_by': 'as_of_date'},
) }}
{%- set first_date = date_literal(month_start(var('from_date'))) %}

with positions as (

    select positions.*
    from {{ ref('int_customer__positions_monthly') }} as positions
    inner join {{ ref('dim_date') }} as dates on positions.as_of_date = dates.date_day
    where dates.is_month_end
        {% if is_incremental() -%}
        and (
            positions.as_of_date >= {{ first_date }}
            or (positions.customer_key, positions.history_hash) not in (
                select customer_key, history_hash
                from {{ this }}
                where as_of_date = {{ days_before(first_date, 1) }}
            )
        )
        {%- endif %}

)

select
    customer_key,
    as_of_date,
    deposit_amount,
    investment_amount,
    aum_amount,
    average_aum_3m_amount,
    contribution_3m_amount,
    reached_star_tier,
    star_tier,
    life_cycle_stage,
    life_cycle_reason,
    asset_count,
    {% for channel in var('channels') -%}
    {{ channel }}_count,
    {% endfor -%}
    complaint_count,
    last_activity_date,
    history_hash
from positions
