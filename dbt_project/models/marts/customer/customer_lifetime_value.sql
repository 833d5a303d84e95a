-- noqa: disable=LT02
{{ config(tags=['serving']) }}
{%- set today = date_literal(var('business_date')) %}
{#- the share of those still there at the end of each month of a year; between the days of the curve, a straight line #}
{%- set stays = [
    'stay_30d_rate', 'stay_60d_rate', 'stay_90d_rate',
    '(2 * stay_90d_rate + stay_180d_rate) / 3', '(stay_90d_rate + 2 * stay_180d_rate) / 3', 'stay_180d_rate',
] %}
{%- for month in range(1, 7) %}
{%- do stays.append('(' ~ (6 - month) ~ ' * stay_180d_rate + ' ~ month ~ ' * stay_365d_rate) / 6') %}
{%- endfor %}

with positions as (

    select * from {{ ref('int_customer__position_today') }}

),

curves as (

    select
        *,
        cast({{ limit('value_limits', 'discount_rate') }} as double precision) as discount_rate,
        cast({{ limit('value_limits', 'lifetime_years') }} as integer) as lifetime_years
    from {{ ref('churn_survival_latest') }}
    where as_of_date = {{ today }}

),

years as (

    select
        *,
        {% for stay in stays -%}
        {{ '+ ' if not loop.first }}({{ stay }}) * power(1 + discount_rate, -{{ loop.index }} / 12.0)
        {% endfor -%}
        as first_year_months,
        stay_365d_rate / (1 + discount_rate) as next_year_share
    from curves

),

-- each later year is like the first one, for those who are still there
lives as (

    select
        *,
        first_year_months * case
            when next_year_share < 1 then (1 - power(next_year_share, lifetime_years)) / (1 - next_year_share)
            else lifetime_years
        end as lifetime_months
    from years

)

select
    positions.customer_key,
    positions.as_of_date,
    positions.contribution_3m_amount,
    lives.stay_365d_rate,
    lives.lifetime_years,
    lives.discount_rate,
    lives.lifetime_months,
    cast(
        {{ whole_cents('cast(positions.contribution_3m_amount as double precision) / 3 * lives.lifetime_months') }}
        as decimal(38, 2)
    ) as lifetime_value_amount
from positions
inner join lives on positions.customer_key = lives.customer_key
