{# Products that suit each customer on the as-of dates that fulfil `condition`, what could be placed in them and what that is worth.
   Grain: as_of_date x customer_key x product_code. #}
{% macro recommendation_candidates(condition) %}
{% set limit = "(select cast(threshold_value as double precision) from " ~ ref('recommendation_limits') ~ " where threshold = '{0}')" %}

with customers as (
    select
        customer_key,
        as_of_date,
        cast(suitability_level as integer) as risk_level,
        star_tier,
        age_years,
        demand_deposit_amount,
        outflow_amount_90d / 3 as monthly_outflow_amount
    from {{ ref('purchase_features') }}
    where {{ condition }}
),

dates as (
    select as_of_date from customers group by as_of_date
),

products as (
{{ features_products('dates', 'as_of_date') }}
),

held as (
    select * from {{ ref('int_features__products_held') }}
    where {{ condition }}
),

margins as (
    select kind as product_family, cast(contribution_rate as double precision) as margin_rate
    from {{ ref('contribution_rates') }}
    where basis = 'balance'
),

preferences as (
    select risk_level, product_family, cast(preference as double precision) as preference
    from {{ ref('risk_preferences') }}
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
    from held
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

popular as (
    select
        *,
        buyer_count + {{ limit.format('similar_customers') }} * buyer_of_all_count / customer_of_all_count as popularity_weight,
        sum(buyer_count) over by_line
            + {{ limit.format('similar_customers') }} * sum(buyer_of_all_count) over by_line / customer_of_all_count as line_weight
    from shelf
    window by_line as (partition by as_of_date, risk_level, star_tier, product_line)
),

offers as (
    select
        customers.customer_key,
        customers.as_of_date,
        customers.risk_level,
        popular.product_line,
        popular.product_family,
        popular.product_code,
        popular.minimum_amount,
        floor((customers.demand_deposit_amount - customers.monthly_outflow_amount * case
            when popular.term_days > {{ limit.format('long_term_days') }} then {{ limit.format('long_term_reserve_months') }}
            else {{ limit.format('reserve_months') }}
        end) / 100) * 100 as amount,
        popular.popularity_weight / (popular.customer_count + {{ limit.format('similar_customers') }}) as popularity,
        popular.popularity_weight / popular.line_weight as line_share
    from customers
    inner join popular
        on customers.as_of_date = popular.as_of_date
        and customers.risk_level = popular.risk_level
        and customers.star_tier = popular.star_tier
    left join held
        on customers.as_of_date = held.as_of_date
        and customers.customer_key = held.customer_key
        and popular.product_code = held.product_code
        and held.is_held = 1
    where held.product_code is null
        and (
            popular.term_days <= {{ limit.format('long_term_days') }}
            or customers.age_years + popular.term_days / 365.25 <= {{ limit.format('long_term_maximum_age') }}
        )
        and (popular.product_risk_level = 1 or customers.age_years >= {{ limit.format('adult_age') }})
)

select
    offers.customer_key,
    offers.as_of_date,
    offers.product_line,
    offers.product_family,
    offers.product_code,
    offers.amount,
    offers.amount * margins.margin_rate as value_amount,
    offers.popularity,
    offers.line_share,
    coalesce(preferences.preference, 1) as preference
from offers
inner join margins on offers.product_family = margins.product_family
left join preferences
    on offers.risk_level = preferences.risk_level and offers.product_family = preferences.product_family
where offers.amount > 0 and offers.amount >= offers.minimum_amount
{% endmacro %}
