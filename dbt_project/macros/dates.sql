{% macro date_literal(day) -%} cast('{{ day }}' as date) {%- endmacro %}

{# ISO text of the first day of the month of an ISO date. #}
{% macro month_start(day) -%} {{ return((day | string)[:8] ~ '01') }} {%- endmacro %}

{# The dates that a model of whole months builds: from the first day of the month of `from_date`. #}
{% macro months_of_run(column) -%}
    {{ column }} between {{ date_literal(month_start(var('from_date'))) }} and {{ date_literal(var('business_date')) }}
{%- endmacro %}

{# Whole days from one date to another, an integer. #}
{% macro days_between(first, last) -%} {{ return(adapter.dispatch('days_between')(first, last)) }} {%- endmacro %}
{% macro default__days_between(first, last) -%} cast({{ last }} - {{ first }} as integer) {%- endmacro %}
{% macro spark__days_between(first, last) -%} datediff({{ last }}, {{ first }}) {%- endmacro %}

{# The date `days` days before another. #}
{% macro days_before(day, days) -%} cast({{ dbt.dateadd('day', -days, day) }} as date) {%- endmacro %}
