{{ config(materialized='incremental', incremental_strategy='replace_as_of_dates', on_schema_change='fail') }}
{%- set prior = "cast(" ~ limit('recommendation_limits', 'similar_customers') ~ " as double precision)" %}
-- Grain: as-of date, risk level, star tier and product that the level allows: how usual the product is among such
-- customers. Where they are few, what all customers buy weighs in.
with dates as (
    select * from {{ ref('int_calendar__as_of_dates') }}
),

customers as (
    select as_of_date, customer_key, cast(suitability_level as integer) as risk_level, star_tier
    from {{ ref('purchase_features') }}
    where as_of_date in (select as_of_date from dates)
),

products as (
    select * from {{ ref('int_product__known_on_as_of_dates') }}
),

customer_counts as (
    select as_of_date, count(*) as customer_count from customers group by as_of_date
),

segments as (
    select as_of_date, risk_level, star_tier, count(*) as customer_count
    from customers
    group by as_of_date, risk_level, star_tier
),

buyers as (
    select held.as_of_date, customers.risk_level, customers.star_tier, held.product_code, count(*) as buyer_count
    from {{ ref('int_customer__products_known_on_as_of_dates') }} as held
    inner join customers on held.as_of_date = customers.as_of_date and held.customer_key = customers.customer_key
    where held.purchase_count_90d > 0
    group by held.as_of_date, customers.risk_level, customers.star_tier, held.product_code
),

buyers_of_all as (
    select as_of_date, product_code, sum(buyer_count) as buyer_count
    from buyers
    group by as_of_date, product_code
),

shelf as (
    select
        segments.as_of_date,
        segments.risk_level,
        segments.star_tier,
        segments.customer_count,
        products.product_code,
        products.product_family,
        products.product_line,
        products.minimum_amount,
        products.risk_level as product_risk_level,
        coalesce(products.term_days, 0) as term_days,
        cast(coalesce(buyers.buyer_count, 0) as double precision) as buyer_count,
        cast(coalesce(buyers_of_all.buyer_count, 0) + 1 as double precision) as buyer_of_all_count,
        customer_counts.customer_count + 1 as customer_of_all_count
    from segments
    inner join products on segments.as_of_date = products.as_of_date and products.risk_level <= segments.risk_level
    inner join customer_counts on segments.as_of_date = customer_counts.as_of_date
    left join buyers
        on segments.as_of_date = buyers.as_of_date
            and segments.risk_level = buyers.risk_level
            and segments.star_tier = buyers.star_tier
            and products.product_code = buyers.product_code
    left join buyers_of_all
        on products.as_of_date = buyers_of_all.as_of_date and products.product_code = buyers_of_all.product_code
),

weighed as (
    select
        *,
        buyer_count + {{ prior }} * buyer_of_all_count / customer_of_all_count as popularity_weight,
        sum(buyer_count) over by_line
        + {{ prior }} * sum(buyer_of_all_count) over by_line / customer_of_all_count as line_weight
    from shelf
    window by_line as (partition by as_of_date, risk_level, star_tier, product_line)
)

select
    as_of_date,
    risk_level,
    star_tier,
    product_code,
    product_family,
    product_line,
    minimum_amount,
    product_risk_level,
    term_days,
    popularity_weight / (customer_count + {{ prior }}) as popularity,
    popularity_weight / line_weight as line_share
from weighed
