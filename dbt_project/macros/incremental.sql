{# The dates that this run builds: constants, so that partitions are pruned. #}
{% macro dates_of_run(column) -%}
    {{ column }} between cast('{{ var("from_date") }}' as date) and cast('{{ var("business_date") }}' as date)
{%- endmacro %}

{# Strategy `replace_dates` (config `date_column`): every row from `from_date` on goes, also one that a killed run left after
   `business_date` and one whose date has no new rows; then the run's rows come in. With `whole_months`, from the first day
   of the month of `from_date` on. #}
{% macro get_incremental_replace_dates_sql(arg_dict) %}
    {%- set first_date = month_start(var('from_date')) if config.get('whole_months') else var('from_date') -%}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='quoted') | join(', ') -%}
    delete from {{ arg_dict['target_relation'] }}
    where {{ config.get('date_column', 'business_date') }} >= {{ date_literal(first_date) }};
    insert into {{ arg_dict['target_relation'] }} ({{ columns }}) (select {{ columns }} from {{ arg_dict['temp_relation'] }});
{% endmacro %}

{# Strategy `replace_as_of_dates` (config `date_column`): only the as-of dates of this run are replaced; dates after `business_date` go. #}
{% macro get_incremental_replace_as_of_dates_sql(arg_dict) %}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='quoted') | join(', ') -%}
    {%- set date_column = config.get('date_column', 'as_of_date') -%}
    delete from {{ arg_dict['target_relation'] }}
    where {{ date_column }} > cast('{{ var("business_date") }}' as date)
    {%- for as_of_date in var('as_of_dates') %} or {{ date_column }} = cast('{{ as_of_date }}' as date){% endfor %};
    insert into {{ arg_dict['target_relation'] }} ({{ columns }}) (select {{ columns }} from {{ arg_dict['temp_relation'] }});
{% endmacro %}
