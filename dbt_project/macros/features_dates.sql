{# The date `days` days before `day`; `days` may be a column. #}
{% macro features_days_before(day, days) -%}
    cast({{ dbt.dateadd('day', '-(' ~ days ~ ')', day) }} as date)
{%- endmacro %}
