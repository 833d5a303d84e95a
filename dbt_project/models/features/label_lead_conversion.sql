{{ config(
    materialized='incremental', incremental_strategy='replace_dates', date_column='ripe_date', on_schema_change='fail',
    meta={'partition_by': 'as_of_date'},
) }}

with prospects as (
    select customer_key, as_of_date from {{ ref('prospect_features') }}
),

ripe_dates as (
    select * from {{ ref('int_calendar__ripe_dates') }}
),

identity as (
    select * from {{ ref('int_party__customers_known_on_ripe_dates') }}
),

openings as (
    select ripe_date, customer_key
    from {{ ref('int_account__known_on_ripe_dates') }}
    where opened_date <= ripe_date
    group by ripe_date, customer_key
)

select
    prospects.customer_key,
    prospects.as_of_date,
    cast(90 as integer) as horizon_days,
    ripe_dates.ripe_date,
    cast(case when openings.customer_key is null then 0 else 1 end as integer) as label
from prospects
inner join ripe_dates on prospects.as_of_date = ripe_dates.as_of_date
inner join identity
    on ripe_dates.ripe_date = identity.ripe_date and prospects.customer_key = identity.party_key
left join openings
    on identity.ripe_date = openings.ripe_date and identity.customer_key = openings.customer_key
