{# One amount as a share of another, a double; null where there is nothing to share. #}
{% macro share_of(part, whole) -%}
    cast({{ part }} as double precision) / nullif(cast({{ whole }} as double precision), 0)
{%- endmacro %}

{# Months from the month of one date to that of another, an integer. #}
{% macro months_between(first, last) -%}
    cast(
        12 * (extract(year from {{ last }}) - extract(year from {{ first }}))
        + extract(month from {{ last }}) - extract(month from {{ first }}) as integer
    )
{%- endmacro %}

{# The lower (`-`) or upper (`+`) end of the 95 % interval of a share (Wilson), a double; null without a whole. #}
{% macro wilson_bound(part, whole, side) -%}
    abs({{ share_of(part, whole) }} + 1.9208 / {{ whole }} {{ side }} 1.96 * sqrt(
        {{ share_of(part, whole) }} * (1 - {{ share_of(part, whole) }}) / {{ whole }}
        + 0.9604 / (cast({{ whole }} as double precision) * {{ whole }})
    )) / (1 + 3.8416 / cast({{ whole }} as double precision))
{%- endmacro %}

{# Whole days, 36,500 at most, for which deposits pay `amount`, the money of 90 days; null where nothing goes out. #}
{% macro days_lasting(deposits, amount) -%}
    case
        when {{ amount }} > 0
            then cast(
                    least(
                        floor(
                            cast(greatest({{ deposits }}, 0) as double precision) * 90
                            / cast({{ amount }} as double precision)
                        ), 36500
                    ) as double precision
                )
    end
{%- endmacro %}

{# What one contact costs, in one row: a column per channel. #}
{% macro service_unit_costs() %}
    select
        {% for channel in var('channels') -%}
        max(case when channel = '{{ channel }}' then unit_cost_amount else 0 end)
            as {{ channel }}_amount{{ ',' if not loop.last }}
        {% endfor %}
    from {{ ref('service_costs') }}
{% endmacro %}
