{# `total / count`, exact to the cent, halves away from zero: the engines' own division of decimals differs. #}
{% macro average_amount(total, count) -%} {{ return(adapter.dispatch('average_amount')(total, count)) }} {%- endmacro %}

{% macro default__average_amount(total, count) -%}
    cast(round(cast({{ total }} as decimal(38,2)) / {{ count }}, 2) as decimal(38,2))
{%- endmacro %}

{% macro duckdb__average_amount(total, count) -%}
    {#- DuckDB divides decimals as doubles: count in cents instead -#}
    cast(
        sign({{ total }})
        * ((cast(abs({{ total }}) * 200 as hugeint) + {{ count }}) // (2 * cast({{ count }} as hugeint)))
        * 0.01 as decimal(38,2)
    )
{%- endmacro %}

{% macro spark__average_amount(total, count) -%}
    {#- Spark keeps six digits of a quotient of long decimals, and rounds them twice: count in cents, too -#}
    cast(
        case when {{ total }} < 0 then -1 else 1 end
        * (
            (cast(abs({{ total }}) * 200 as decimal(38,0)) + cast({{ count }} as bigint))
            div (2 * cast({{ count }} as bigint))
        )
        * 0.01 as decimal(38,2)
    )
{%- endmacro %}

{# A double as an amount of whole cents, as a number. Engines cast a double at half a cent in different ways; a product
   and a floor of doubles are the same everywhere. #}
{% macro whole_cents(value) -%} cast(floor(({{ value }}) * 100 + 0.5) as bigint) * 0.01 {%- endmacro %}
