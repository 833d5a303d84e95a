{{ config(
    materialized='incremental', incremental_strategy='replace_dates', on_schema_change='fail',
    meta={'partition_by': 'business_date'},
    indexes=[
        {'columns': ['business_date']},
        {'columns': ['holding_id', 'business_date']},
    ] if target.type == 'postgres' else [],
) }}

with told as (

    select * from {{ ref('stg_branch__holdings') }}
    where {{ dates_of_run('business_date') }}

),

holdings as (

    {{ last_known('told', ['holding_id', 'business_date']) }}

),

{% if is_incremental() -%}
last_days as (

    select
        holding_id,
        max(business_date) as business_date
    from {{ this }}
    where business_date < {{ date_literal(var('from_date')) }}
        and holding_id in (select holding_id from holdings)
    group by holding_id

),

carried as (

    select
        built.holding_id,
        built.market_value_amount
    from {{ this }} as built
    inner join last_days
        on built.holding_id = last_days.holding_id and built.business_date = last_days.business_date

),
{%- else -%}
carried as (

    select
        holding_id,
        market_value as market_value_amount
    from holdings
    where 1 = 0

),
{%- endif %}

valued as (

    select
        holdings.*,
        holdings.market_value - coalesce(
            lag(holdings.market_value) over (partition by holdings.holding_id order by holdings.business_date),
            carried.market_value_amount,
            0
        ) as change_amount
    from holdings
    left join carried on holdings.holding_id = carried.holding_id

)

select
    holding_id,
    party_key,
    product_code,
    business_date,
    market_value as market_value_amount,
    cost as cost_amount,
    cast(change_amount as decimal(38, 2)) as change_amount,
    start_date,
    maturity_date
from valued
