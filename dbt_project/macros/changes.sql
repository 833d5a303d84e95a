{# The last day before the past that a rule of change reads. The past is bounded, so that a day costs the same however
   long the history is: the days that are shown, 100 days that show whether a change only continues an earlier one, and
   `days`. #}
{% macro change_lookback(days=0) -%}
    {{ days_before(date_literal(var('business_date')), var('change_days') + 100 + days) }}
{%- endmacro %}
