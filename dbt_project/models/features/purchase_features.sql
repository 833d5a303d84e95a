-- noqa: disable=LT02
{{ config(
    materialized='incremental', incremental_strategy='replace_as_of_dates', on_schema_change='fail',
    meta={'partition_by': 'as_of_date'},
) }}

{% set dates = ref('int_calendar__as_of_dates') %}

with features as (
    select features.*, coalesce(profiles.lowest_risk_rating_level, 1) as suitability_level
    from {{ ref('customer_features') }} as features
    inner join {{ ref('int_customer__profiles_known_on_as_of_dates') }} as profiles
        on features.as_of_date = profiles.as_of_date and features.customer_key = profiles.customer_key
    where features.is_enterprise = 0
),

activity as (
    select * from {{ ref('int_customer__activity_known_on_as_of_dates') }}
),

held as (
    select
        as_of_date,
        customer_key,
        sum(deposit_amount) as term_deposit_balance_amount,
        sum(purchase_count_180d) as purchase_count_180d,
        sum(purchase_count_360d) as purchase_count_360d,
        min({{ days_between('last_start_date', 'as_of_date') }}) as days_since_purchase
        {%- for line in product_lines() %},
        sum(held_amount) filter (where product_line = '{{ line }}') as {{ line }}_amount,
        sum(purchase_count_360d) filter (where product_line = '{{ line }}') as {{ line }}_purchase_count_360d
        {%- endfor %}
    from {{ ref('int_customer__products_known_on_as_of_dates') }}
    where as_of_date in (select as_of_date from {{ dates }})
    group by as_of_date, customer_key
),

products as (
    select * from {{ ref('int_product__known_on_as_of_dates') }}
),

offers as (
    select
        levels.as_of_date,
        levels.suitability_level
        {%- for line in product_lines() %},
        count(*) filter (where products.product_line = '{{ line }}') as {{ line }}_offer_count
        {%- endfor %}
    from (select as_of_date, suitability_level from features group by as_of_date, suitability_level) as levels
    inner join products
        on levels.as_of_date = products.as_of_date and products.risk_level <= levels.suitability_level
    group by levels.as_of_date, levels.suitability_level
),

measured as (
    select
        features.*,
        coalesce(cast(held.term_deposit_balance_amount as double precision), 0) as term_deposit_balance_amount,
        coalesce(held.purchase_count_180d, 0) as purchase_count_180d,
        coalesce(held.purchase_count_360d, 0) as purchase_count_360d,
        coalesce(least(held.days_since_purchase, 360), 360) as days_since_purchase
        {%- for line in product_lines() %},
        coalesce(held.{{ line }}_amount, 0) as {{ line }}_amount,
        coalesce(held.{{ line }}_purchase_count_360d, 0) as {{ line }}_purchase_count_360d,
        coalesce(activity.{{ line }}_page_count_90d, 0) as {{ line }}_page_count_90d,
        coalesce(offers.{{ line }}_offer_count, 0) as {{ line }}_offer_count
        {%- endfor %}
    from features
    left join held on features.as_of_date = held.as_of_date and features.customer_key = held.customer_key
    left join activity on features.as_of_date = activity.as_of_date and features.customer_key = activity.customer_key
    left join offers
        on features.as_of_date = offers.as_of_date and features.suitability_level = offers.suitability_level
)

select
    customer_key,
    as_of_date,
    ---------- what lies free, and what is bound
    deposit_amount - term_deposit_balance_amount as demand_deposit_amount,
    {{ features_ratio('deposit_amount - term_deposit_balance_amount', 'monthly_income_amount') }}
        as demand_deposit_to_income_rate,
    {{ features_ratio('deposit_amount - term_deposit_balance_amount', 'outflow_amount_90d / 3') }}
        as demand_deposit_to_outflow_rate,
    {%- for line in product_lines() %}
    cast({{ line }}_amount as double precision) as {{ line }}_amount,
    {%- endfor %}
    ---------- what was bought
    cast(purchase_count_180d as double precision) as purchase_count_180d,
    cast(purchase_count_360d as double precision) as purchase_count_360d,
    cast(days_since_purchase as double precision) as days_since_purchase,
    {%- for line in product_lines() %}
    cast({{ line }}_purchase_count_360d as double precision) as {{ line }}_purchase_count_360d,
    {%- endfor %}
    ---------- what was looked at
    {%- for line in product_lines() %}
    cast({{ line }}_page_count_90d as double precision) as {{ line }}_page_count_90d,
    {%- endfor %}
    ---------- what the rating allows
    cast(suitability_level as double precision) as suitability_level,
    {%- for line in product_lines() %}
    cast({{ line }}_offer_count as double precision) as {{ line }}_offer_count,
    {%- endfor %}
    ---------- of customer_features
    {%- for name in [
        'aum_amount', 'investment_rate', 'star_tier', 'deposit_account_count', 'investment_product_count',
        'maturing_rate_30d', 'maturing_rate_90d', 'aum_to_income_rate', 'aum_rate_90d', 'inflow_amount_90d',
        'outflow_amount_90d', 'net_flow_rate_90d', 'salary_amount_90d', 'txn_count_90d', 'product_view_count_90d',
        'wealth_visit_count_90d', 'contact_count_90d', 'response_count_180d', 'instalment_burden_rate', 'tenure_days',
        'age_years', 'monthly_income_amount', 'risk_rating_level', 'has_rm',
    ] %}
    {{ name }}{{ ',' if not loop.last }}
    {%- endfor %}
from measured
