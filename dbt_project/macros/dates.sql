{% macro date_literal(day) -%} cast('{{ day }}' as date) {%- endmacro %}

{# First day of the month of an ISO date: the earliest date that a model of whole months rebuilds. #}
{% macro month_start(day) -%} {{ return(day | string | truncate(8, true, '', 0) ~ '01') }} {%- endmacro %}

{# Whole days from one date to another, an integer. #}
{% macro days_between(first, last) -%} {{ return(adapter.dispatch('days_between')(first, last)) }} {%- endmacro %}
{% macro default__days_between(first, last) -%} cast({{ last }} - {{ first }} as integer) {%- endmacro %}
{% macro spark__days_between(first, last) -%} datediff({{ last }}, {{ first }}) {%- endmacro %}
