{# A limit of a seed of thresholds, as a constant in the query's text would be. #}
{% macro limit(seed, name) -%}
    (select threshold_value from {{ ref(seed) }} where threshold = '{{ name }}')
{%- endmacro %}
