{# The date `days` days before `day`; `days` may be a column. #}
{% macro features_days_before(day, days) -%}
    cast({{ dbt.dateadd('day', '-(' ~ days ~ ')', day) }} as date)
{%- endmacro %}

{# The first day of the 180 that the features of an ISO date look back on, as a constant. #}
{% macro features_first_day(iso_date) -%}
    {%- set first = modules.datetime.date.fromisoformat(iso_date | string) - modules.datetime.timedelta(days=180) -%}
    cast('{{ first }}' as date)
{%- endmacro %}
