-- noqa: disable=LT02
{{ config(
    materialized='incremental', incremental_strategy='replace_dates', date_column='ripe_date', on_schema_change='fail',
    meta={'partition_by': 'as_of_date'},
) }}

with features as (
    select customer_key, as_of_date from {{ ref('purchase_features') }}
),

ripe_dates as (
    select * from {{ ref('int_calendar__ripe_dates') }}
),

purchases as (
    select * from {{ ref('int_customer__purchases_known_on_ripe_dates') }}
    where {{ dates_of_run('ripe_date') }}
)

select
    features.customer_key,
    features.as_of_date,
    cast(90 as integer) as horizon_days,
    ripe_dates.ripe_date
    {%- for line in product_lines() %},
    cast(max(case when purchases.product_line = '{{ line }}' then 1 else 0 end) as integer) as {{ line }}
    {%- endfor %}
from features
inner join ripe_dates on features.as_of_date = ripe_dates.as_of_date
left join purchases
    on features.as_of_date = purchases.as_of_date and features.customer_key = purchases.customer_key
group by features.customer_key, features.as_of_date, ripe_dates.ripe_date
