{# The dates that this run builds: constants, so that partitions are pruned. #}
{% macro dates_of_run(column) -%}
    {{ column }} between cast('{{ var("from_date") }}' as date) and cast('{{ var("business_date") }}' as date)
{%- endmacro %}

{# Strategy `replace_dates` (config `date_column`): every row from `from_date` on goes, also one that a killed run left
   after `business_date` and one whose date has no new rows; then the run's rows come in. With `whole_months`, from the
   first day of the month of `from_date` on. #}
{% macro get_incremental_replace_dates_sql(arg_dict) %}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='quoted') | join(', ') -%}
    delete from {{ arg_dict['target_relation'] }}
    where {{ config.get('date_column', 'business_date') }} >= {{ first_date_of_run() }};
    insert into {{ arg_dict['target_relation'] }} ({{ columns }}) (
        select {{ columns }} from {{ arg_dict['temp_relation'] }}
    );
{% endmacro %}

{# Strategy `replace_as_of_dates` (config `date_column`): only the as-of dates of this run are replaced; dates after
   `business_date` go. #}
{% macro get_incremental_replace_as_of_dates_sql(arg_dict) %}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='quoted') | join(', ') -%}
    {%- set date_column = config.get('date_column', 'as_of_date') -%}
    delete from {{ arg_dict['target_relation'] }}
    where {{ date_column }} > cast('{{ var("business_date") }}' as date)
    {%- for as_of_date in var('as_of_dates') %} or {{ date_column }} = cast('{{ as_of_date }}' as date){% endfor %};
    insert into {{ arg_dict['target_relation'] }} ({{ columns }}) (
        select {{ columns }} from {{ arg_dict['temp_relation'] }}
    );
{% endmacro %}

{# Strategy `replace_histories` (config `date_column`, `history`): as `replace_dates`; besides, every row goes whose
   customer has another hash in column `history` of int_customer__histories by now, or is no more. The query brings the
   whole history of such customers along. #}
{% macro get_incremental_replace_histories_sql(arg_dict) %}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='quoted') | join(', ') -%}
    {%- set history = config.get('history', 'history_hash') -%}
    delete from {{ arg_dict['target_relation'] }}
    where {{ config.get('date_column', 'business_date') }} >= {{ first_date_of_run() }}
        or (customer_key, {{ history }}) not in (
            select customer_key, {{ history }} from {{ ref('int_customer__histories') }}
        );
    insert into {{ arg_dict['target_relation'] }} ({{ columns }}) (
        select {{ columns }} from {{ arg_dict['temp_relation'] }}
    );
{% endmacro %}

{# The first date that a model replaces in this run, by its config: `from_date`, the first day of its month
   (`whole_months`), or `lookback_days` before it. #}
{% macro first_date_of_run() -%}
    {%- if config.get('whole_months') -%} {{ date_literal(month_start(var('from_date'))) }}
    {%- else -%} {{ days_before(date_literal(var('from_date')), config.get('lookback_days', 0)) }}
    {%- endif -%}
{%- endmacro %}
