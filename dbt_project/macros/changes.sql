{# Rules of change read a bounded past, so that a day costs the same however long the history is. This is the last day before it:
   `days` before the 100 days that tell whether a change only continues an earlier one, before those that are shown. #}
{% macro change_lookback(days=0) -%}
    {{ days_before(date_literal(var('business_date')), var('change_days') + 100 + days) }}
{%- endmacro %}
