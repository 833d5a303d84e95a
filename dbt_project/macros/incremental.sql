{# The dates that this run builds: constants, so that partitions are pruned. #}
{% macro dates_of_run(column) -%}
    {{ column }} between cast('{{ var("from_date") }}' as date) and cast('{{ var("business_date") }}' as date)
{%- endmacro %}

{# A strategy is the condition by which rows of the table that stands are replaced, `replaced_by_<strategy>`: they go,
   also those that nothing takes the place of, and the run's rows come in. On Spark macros/spark.sql does the same to
   partitions. #}
{% macro delete_and_insert(arg_dict, replaced) %}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='quoted') | join(', ') -%}
    delete from {{ arg_dict['target_relation'] }}
    where {{ replaced }};
    insert into {{ arg_dict['target_relation'] }} ({{ columns }}) (
        select {{ columns }} from {{ arg_dict['temp_relation'] }}
    );
{% endmacro %}

{# Strategy `replace_dates` (config `date_column`): every row from `from_date` on goes, also one that a killed run left
   after `business_date` and one whose date has no new rows. With `whole_months`, from the first day of the month of
   `from_date` on. #}
{% macro get_incremental_replace_dates_sql(arg_dict) %}
    {{ delete_and_insert(arg_dict, replaced_by_replace_dates()) }}
{% endmacro %}

{% macro replaced_by_replace_dates() -%}
    {{ config.get('date_column', 'business_date') }} >= {{ first_date_of_run() }}
{%- endmacro %}

{# Strategy `replace_as_of_dates` (config `date_column`): only the as-of dates of this run are replaced; dates after
   `business_date` go. #}
{% macro get_incremental_replace_as_of_dates_sql(arg_dict) %}
    {{ delete_and_insert(arg_dict, replaced_by_replace_as_of_dates()) }}
{% endmacro %}

{% macro replaced_by_replace_as_of_dates() -%}
    {%- set date_column = config.get('date_column', 'as_of_date') -%}
    {{ date_column }} > cast('{{ var("business_date") }}' as date)
    {%- for as_of_date in var('as_of_dates') %} or {{ date_column }} = cast('{{ as_of_date }}' as date){% endfor %}
{%- endmacro %}

{# Strategy `replace_histories` (config `date_column`, `history`): as `replace_dates`; besides, every row goes whose
   customer has another hash in column `history` of int_customer__histories by now, or is no more. The query brings the
   whole history of such customers along. #}
{% macro get_incremental_replace_histories_sql(arg_dict) %}
    {{ delete_and_insert(arg_dict, replaced_by_replace_histories()) }}
{% endmacro %}

{% macro replaced_by_replace_histories() -%}
    {{ config.get('date_column', 'business_date') }} >= {{ first_date_of_run() }}
        or {{ has_another_history(config.get('history', 'history_hash')) }}
{%- endmacro %}

{# True for a row of the table that stands whose customer has another hash by now, or is no more. #}
{% macro has_another_history(history) -%} {{ return(adapter.dispatch('has_another_history')(history)) }} {%- endmacro %}

{% macro default__has_another_history(history) -%}
    (customer_key, {{ history }}) not in (
            select customer_key, {{ history }} from {{ ref('int_customer__histories') }}
        )
{%- endmacro %}

{# Spark would hold each row of a null-aware `not in` of two columns against each of the other side's. #}
{% macro spark__has_another_history(history) -%}
    not exists (
            select 1
            from {{ ref('int_customer__histories') }} as known
            where known.customer_key = standing.customer_key and known.{{ history }} = standing.{{ history }}
        )
{%- endmacro %}

{# The first date that a model replaces in this run, by its config: `from_date`, the first day of its month
   (`whole_months`), or `lookback_days` before it. #}
{% macro first_date_of_run() -%}
    {%- if config.get('whole_months') -%} {{ date_literal(month_start(var('from_date'))) }}
    {%- else -%} {{ days_before(date_literal(var('from_date')), config.get('lookback_days', 0)) }}
    {%- endif -%}
{%- endmacro %}
