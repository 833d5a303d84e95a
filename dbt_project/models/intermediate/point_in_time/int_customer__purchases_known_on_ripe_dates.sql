{{ config(
    materialized='incremental', incremental_strategy='replace_dates', date_column='ripe_date', on_schema_change='fail',
) }}

with ripe_dates as (
    select * from {{ ref('int_calendar__ripe_dates') }}
),

identity as (
    select * from {{ ref('int_party__customers_known_on_ripe_dates') }}
),

products as (
    select * from {{ ref('int_product__known_on_ripe_dates') }}
),

positions as (
    select ripe_date, customer_key, product_code, opened_date as start_date
    from {{ ref('int_account__known_on_ripe_dates') }}
    union all
    select identity.ripe_date, identity.customer_key, holdings.product_code, holdings.start_date
    from {{ ref('int_holding__values_known_on_ripe_dates') }} as holdings
    inner join identity
        on holdings.ripe_date = identity.ripe_date and holdings.party_key = identity.party_key
)

select
    ripe_dates.as_of_date,
    ripe_dates.ripe_date,
    features.customer_key,
    products.product_line,
    positions.product_code
from ripe_dates
inner join {{ ref('purchase_features') }} as features on ripe_dates.as_of_date = features.as_of_date
inner join identity
    on ripe_dates.ripe_date = identity.ripe_date and features.customer_key = identity.party_key
inner join positions
    on identity.ripe_date = positions.ripe_date and identity.customer_key = positions.customer_key
        and positions.start_date > ripe_dates.as_of_date
        and positions.start_date <= ripe_dates.ripe_date
inner join products
    on positions.ripe_date = products.ripe_date and positions.product_code = products.product_code
group by
    ripe_dates.as_of_date,
    ripe_dates.ripe_date,
    features.customer_key,
    products.product_line,
    positions.product_code
