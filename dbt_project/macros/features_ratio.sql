{# `part` over `whole` as a float; null where the whole is not positive. #}
{% macro features_ratio(part, whole) -%}
    case when {{ whole }} > 0 then cast({{ part }} as double precision) / cast({{ whole }} as double precision) end
{%- endmacro %}
