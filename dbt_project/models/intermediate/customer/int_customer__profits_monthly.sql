-- noqa: disable=LT02
{{ config(
    materialized='incremental', incremental_strategy='replace_histories', date_column='as_of_date', whole_months=true,
    on_schema_change='fail'
) }}
-- Grain: customer, as-of date (month-ends, and the business date) and product, on today's identity: what the customer
-- earned the bank in the month up to that day. What serving costs belongs to no product: it stands under SERVICE.
with customers as (

    select * from {{ ref('int_customer__histories') }}

),

links as (

    select
        links.party_key,
        customers.customer_key,
        customers.customer_since_date,
        customers.history_hash,
        {% if is_incremental() -%}
        carried.customer_key is not null as is_carried
        {%- else -%}
        false as is_carried
        {%- endif %}
    from {{ ref('int_party__customers') }} as links
    inner join customers on links.customer_key = customers.customer_key
    {% if is_incremental() -%}
    left join (
        select customer_key, history_hash from {{ this }}
        where as_of_date < {{ date_literal(month_start(var('from_date'))) }}
        group by customer_key, history_hash
    ) as carried on customers.customer_key = carried.customer_key and customers.history_hash = carried.history_hash
    {%- endif %}

),

costs as (

    {{ service_unit_costs() }}

),

earned as (

    select
        party_key,
        as_of_date,
        product_code,
        product_family,
        average_amount,
        net_interest_amount,
        fee_amount,
        0 as risk_cost_amount,
        0 as service_cost_amount
    from {{ ref('int_asset__profits_monthly') }}

    union all

    select
        party_key,
        as_of_date,
        product_code,
        product_family,
        average_amount,
        net_interest_amount,
        0 as fee_amount,
        risk_cost_amount,
        0 as service_cost_amount
    from {{ ref('int_loan__profits_monthly') }}

    union all

    select
        months.party_key,
        months.as_of_date,
        'SERVICE' as product_code,
        'service' as product_family,
        0 as average_amount,
        0 as net_interest_amount,
        0 as fee_amount,
        0 as risk_cost_amount,
        {% for channel in var('channels') -%}
        {{ '+ ' if not loop.first }}months.{{ channel }}_count * costs.{{ channel }}_amount
        {% endfor -%}
        as service_cost_amount
    from {{ ref('int_activity__months') }} as months
    cross join costs

),

sums as (

    select
        links.customer_key,
        earned.as_of_date,
        earned.product_code,
        links.history_hash,
        max(earned.product_family) as product_family,
        cast(sum(earned.average_amount) as decimal(38, 2)) as average_amount,
        cast(sum(earned.net_interest_amount) as decimal(38, 2)) as net_interest_amount,
        cast(sum(earned.fee_amount) as decimal(38, 2)) as fee_amount,
        cast(sum(earned.risk_cost_amount) as decimal(38, 2)) as risk_cost_amount,
        cast(sum(earned.service_cost_amount) as decimal(38, 2)) as service_cost_amount
    from earned
    inner join links on earned.party_key = links.party_key
    where earned.as_of_date >= links.customer_since_date
        and (earned.as_of_date >= {{ date_literal(month_start(var('from_date'))) }} or not links.is_carried)
    group by links.customer_key, earned.as_of_date, earned.product_code, links.history_hash

)

select
    *,
    cast(net_interest_amount + fee_amount - risk_cost_amount - service_cost_amount as decimal(38, 2)) as profit_amount
from sums
where average_amount <> 0
    or net_interest_amount <> 0
    or fee_amount <> 0
    or risk_cost_amount <> 0
    or service_cost_amount <> 0
