-- noqa: disable=LT02
-- depends_on: {{ ref('int_customer__histories') }}
{{ config(
    materialized='incremental', incremental_strategy='replace_histories', date_column='as_of_date', whole_months=true,
    on_schema_change='fail', meta={'partition_by': 'as_of_date'},
) }}

with profits as (

    select profits.*
    from {{ ref('int_customer__profits_monthly') }} as profits
    inner join {{ ref('dim_date') }} as dates on profits.as_of_date = dates.date_day
    where dates.is_month_end
        {% if is_incremental() -%}
        and (
            profits.as_of_date >= {{ date_literal(month_start(var('from_date'))) }}
            or (profits.customer_key, profits.history_hash) not in (
                select customer_key, history_hash from {{ this }}
                where as_of_date < {{ date_literal(month_start(var('from_date'))) }}
            )
        )
        {%- endif %}

)

select
    customer_key,
    as_of_date,
    cast(product_code as varchar) as product_code,
    cast(product_family as varchar) as product_family,
    average_amount,
    net_interest_amount,
    fee_amount,
    risk_cost_amount,
    service_cost_amount,
    profit_amount,
    history_hash
from profits
