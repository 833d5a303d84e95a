{# A limit of the credit watch. #}
{% macro credit_threshold(name) -%}
    (select threshold_value from {{ ref('credit_thresholds') }} where threshold = '{{ name }}')
{%- endmacro %}
