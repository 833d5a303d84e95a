{% macro date_literal(day) -%} cast('{{ day }}' as date) {%- endmacro %}

{# ISO text of the first day of the month of an ISO date. #}
{% macro month_start(day) -%} {{ return((day | string)[:8] ~ '01') }} {%- endmacro %}

{# The dates that a model of whole months builds: from the first day of the month of `from_date`. #}
{% macro months_of_run(column) -%}
    {{ column }} between {{ date_literal(month_start(var('from_date'))) }} and {{ date_literal(var('business_date')) }}
{%- endmacro %}

{# The as-of dates of a model of whole months, with the first day of their month: month-ends, and the business date. #}
{% macro as_of_dates_of_run() %}
    select
        date_day as as_of_date,
        month_date
    from {{ ref('int_calendar__days') }}
    where {{ months_of_run('date_day') }}
        and (is_month_end or date_day = {{ date_literal(var('business_date')) }})
{% endmacro %}

{# Whole days from one date to another, an integer. #}
{% macro days_between(first, last) -%} {{ return(adapter.dispatch('days_between')(first, last)) }} {%- endmacro %}
{% macro default__days_between(first, last) -%} cast({{ last }} - {{ first }} as integer) {%- endmacro %}
{% macro spark__days_between(first, last) -%} datediff({{ last }}, {{ first }}) {%- endmacro %}

{# Seconds from one moment to another, a double. #}
{% macro seconds_between(first, last) -%} {{ return(adapter.dispatch('seconds_between')(first, last)) }} {%- endmacro %}
{% macro default__seconds_between(first, last) -%}
    cast(extract(epoch from ({{ last }} - {{ first }})) as double precision)
{%- endmacro %}
{% macro spark__seconds_between(first, last) -%}
    cast(timestampdiff(microsecond, {{ first }}, {{ last }}) as double) / 1000000
{%- endmacro %}

{# The date `days` days before another. #}
{% macro days_before(day, days) -%} cast({{ dbt.dateadd('day', -days, day) }} as date) {%- endmacro %}

{# The last day of the month before that of a date. #}
{% macro month_end_before(day) -%}
    cast({{ dbt.dateadd('day', -1, "date_trunc('month', " ~ day ~ ")") }} as date)
{%- endmacro %}

{# The Sunday that ends the week of a date. #}
{% macro week_end(day) -%} cast({{ dbt.dateadd('day', 6, "date_trunc('week', " ~ day ~ ")") }} as date) {%- endmacro %}

{# The dates that an incremental model of whole weeks builds: from the Monday of the week of `from_date`; all, when it
   is new. #}
{% macro weeks_of_run(column) -%}
    {{ column }} <= {{ date_literal(var('business_date')) }}
    {%- if is_incremental() %}
        and {{ column }} >= {{ days_before(week_end(date_literal(var('from_date'))), 6) }}
    {%- endif %}
{%- endmacro %}
