{# An amount as people write it: whole, with commas at the thousands, up to 999,999,999,999. #}
{% macro thousands(amount) -%}
    {%- set whole = "cast(round(abs(" ~ amount ~ ")) as bigint)" -%}
    {%- set part = "lpad(cast(mod(cast(floor(" ~ whole ~ " / {0}) as bigint), 1000) as varchar), 3, '0')" -%}
    case when {{ amount }} <= -0.5 then '-' else '' end
    || case
        {%- for power in [9, 6, 3] %}
        when {{ whole }} >= 1{{ '0' * power }}
            then cast(cast(floor({{ whole }} / 1{{ '0' * power }}) as bigint) as varchar)
            {%- for lower in range(power - 3, -1, -3) %} || ',' || {{ part.format('1' ~ '0' * lower) }}{% endfor %}
        {%- endfor %}
        else cast({{ whole }} as varchar)
    end
{%- endmacro %}
