{{ config(materialized='view') }}
{%- set long_term_days = limit('recommendation_limits', 'long_term_days') %}
{%- set maximum_age = limit('recommendation_limits', 'long_term_maximum_age') %}
{%- set long_reserve = limit('recommendation_limits', 'long_term_reserve_months') %}
{%- set reserve = limit('recommendation_limits', 'reserve_months') %}
{%- set open_term = limit('recommendation_limits', 'open_term_days') %}
-- Grain: as-of date, customer and product that suits, what could be placed in it and what that earns over the term
-- beside what the money earns on demand. A view of every as-of date; each relation is read once, so that a filter on
-- the date reaches all of them.
with offers as (
    select
        customers.customer_key,
        customers.as_of_date,
        shelf.risk_level,
        shelf.product_line,
        shelf.product_family,
        shelf.product_code,
        shelf.minimum_amount,
        case when shelf.term_days > 0 then shelf.term_days else cast({{ open_term }} as integer) end as counted_days,
        demand.demand_margin_rate,
        floor((customers.demand_deposit_amount - customers.outflow_amount_90d / 3 * cast(case
            when shelf.term_days > {{ long_term_days }} then {{ long_reserve }}
            else {{ reserve }}
        end as double precision)) / 100) * 100 as amount,
        shelf.popularity,
        shelf.line_share
    from {{ ref('purchase_features') }} as customers
    inner join {{ ref('int_product__shelf_known_on_as_of_dates') }} as shelf
        on customers.as_of_date = shelf.as_of_date
            and cast(customers.suitability_level as integer) = shelf.risk_level
            and customers.star_tier = shelf.star_tier
    inner join {{ ref('int_customer__demand_margins_known_on_as_of_dates') }} as demand
        on customers.as_of_date = demand.as_of_date and customers.customer_key = demand.customer_key
    left join {{ ref('int_customer__products_known_on_as_of_dates') }} as held
        on customers.as_of_date = held.as_of_date
            and customers.customer_key = held.customer_key
            and shelf.product_code = held.product_code
            and held.is_held = 1
    where held.product_code is null
        and (
            shelf.term_days <= {{ long_term_days }}
            or customers.age_years + shelf.term_days / 365.25 <= {{ maximum_age }}
        )
        and (shelf.product_risk_level = 1 or customers.age_years > {{ limit('recommendation_limits', 'adult_age') }})
)

select
    offers.customer_key,
    offers.as_of_date,
    offers.product_line,
    offers.product_family,
    offers.product_code,
    offers.amount,
    offers.counted_days,
    offers.amount * (
        cast(margins.margin_rate as double precision) * offers.counted_days / 365
        + cast(margins.sale_fee_rate as double precision)
    ) as new_margin_amount,
    offers.amount * offers.demand_margin_rate * offers.counted_days / 365 as replaced_margin_amount,
    offers.popularity,
    offers.line_share,
    coalesce(cast(preferences.preference as double precision), 1) as preference
from offers
inner join {{ ref('int_product__margins') }} as margins on offers.product_code = margins.product_code
left join {{ ref('risk_preferences') }} as preferences
    on offers.risk_level = preferences.risk_level and offers.product_family = preferences.product_family
where offers.amount > 0 and offers.amount >= offers.minimum_amount
