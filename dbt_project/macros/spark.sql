{# The models are written in the SQL that the engines share. What Spark says in other words, everywhere and without
   another meaning, is put into its words here, where a statement is made; all else that differs is a dispatched macro.

   Tables are Parquet, which has no `delete`. An incremental table is partitioned by the month of its `date_column`
   (`_month`): a run writes the months that it touches anew, with the rows that stay. #}

{# SQL with Spark's names of types. #}
{% macro spark_sql(sql) -%}
    {%- set named = modules.re.sub('(?i)\\bdouble precision\\b', 'double', sql | string) -%}
    {{ return(modules.re.sub('(?i)\\bvarchar\\b', 'string', named)) }}
{%- endmacro %}

{# A type of a contract, as Spark describes it. #}
{% macro spark_type(data_type) -%}
    {%- set names = {
        'varchar': 'string', 'double precision': 'double', 'integer': 'int', 'timestamp': 'timestamp_ntz'
    } -%}
    {{ return(names.get(data_type, data_type | replace(' ', ''))) }}
{%- endmacro %}

{# Columns of a query, by name: their types. `_month` is none: it belongs to the table that a `select *` read. #}
{% macro spark_columns(sql) %}
    {%- set columns = {} -%}
    {%- for row in run_query('describe query ' ~ sql).rows if row[0] != '_month' -%}
        {%- do columns.update({row[0]: row[1]}) -%}
    {%- endfor -%}
    {{ return(columns) }}
{% endmacro %}

{# The columns of the model's query, in the order of its contract; a name or a type that differs from it stops. #}
{% macro spark_contracted_columns(sql) %}
    {%- set columns = spark_columns(sql) -%}
    {%- if not config.get('contract').enforced -%} {{ return(columns) }} {%- endif -%}
    {%- set promised = {} -%}
    {%- for column in model.columns.values() -%}
        {%- do promised.update({column.name: spark_type(column.data_type)}) -%}
    {%- endfor -%}
    {%- set differing = [] -%}
    {%- for name in (promised.keys() | list + columns.keys() | list) | unique
        if promised.get(name) != columns.get(name) -%}
        {%- do differing.append(name ~ ' (' ~ promised.get(name) ~ ', found ' ~ columns.get(name) ~ ')') -%}
    {%- endfor -%}
    {%- if differing -%}
        {{ exceptions.raise_compiler_error('columns differ from the contract: ' ~ differing | join(', ')) }}
    {%- endif -%}
    {{ return(promised) }}
{% endmacro %}

{% macro spark_month(date_column) -%} cast(date_trunc('month', {{ date_column }}) as date) {%- endmacro %}

{# The column by whose months an incremental table is partitioned. #}
{% macro spark_date_column() -%}
    {%- set usual = 'as_of_date' if config.get('incremental_strategy') == 'replace_as_of_dates' else 'business_date' -%}
    {{ return(config.get('date_column', usual)) }}
{%- endmacro %}

{# Drops what stands under a name, if anything does. #}
{% macro spark_drop(relation) %}
    {%- if relation is not none -%}
        {%- call statement('drop') -%} drop {{ relation.type }} if exists {{ relation }} {%- endcall -%}
    {%- endif -%}
{% endmacro %}

{# The columns of a query; a null in one that the contract wants without stops. Parquet has no such constraint. #}
{% macro spark_kept(columns) -%}
    {%- for name in columns -%}
        {%- set constraints = model.columns[name].constraints if config.get('contract').enforced else [] -%}
        {%- if constraints | selectattr('type', 'equalto', 'not_null') | list -%}
            coalesce({{ name }}, raise_error('{{ this.identifier }}.{{ name }} is null')) as {{ name }}
        {%- else -%}
            {{ name }}
        {%- endif -%}
        {{ ', ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{# SQL that makes a table of a query's columns. #}
{% macro spark_create_table(relation, columns, sql, date_column=none) -%}
    create table {{ relation }} using parquet {{ 'partitioned by (_month)' if date_column }} as
    select {{ spark_kept(columns) }} {%- if date_column %}, {{ spark_month(date_column) }} as _month {%- endif %}
    from ({{ sql }}) as rows {{ 'distribute by _month' if date_column }}
{%- endmacro %}


{% materialization table, adapter='spark', supported_languages=['sql'] %}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set sql = spark_sql(compiled_code) -%}
    {{ run_hooks(pre_hooks) }}
    {%- set columns = spark_contracted_columns(sql) -%}
    {%- do spark_drop(load_cached_relation(this)) -%}
    {%- call statement('main') -%} {{ spark_create_table(target_relation, columns, sql) }} {%- endcall -%}
    {{ run_hooks(post_hooks) }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}


{% materialization view, adapter='spark', supported_languages=['sql'] %}
    {%- set target_relation = this.incorporate(type='view') -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set sql = spark_sql(compiled_code) -%}
    {{ run_hooks(pre_hooks) }}
    {%- set columns = spark_contracted_columns(sql) -%}
    {%- if existing is not none and not existing.is_view -%} {%- do spark_drop(existing) -%} {%- endif -%}
    {%- call statement('main') -%}
        create or replace view {{ target_relation }} as select {{ columns | join(', ') }} from ({{ sql }}) as rows
    {%- endcall -%}
    {{ run_hooks(post_hooks) }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}


{% materialization incremental, adapter='spark', supported_languages=['sql'] %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set sql = spark_sql(compiled_code) -%}
    {{ run_hooks(pre_hooks) }}
    {%- set columns = spark_contracted_columns(sql) -%}
    {%- if existing is none or existing.is_view or should_full_refresh() -%}
        {%- do spark_drop(existing) -%}
        {%- call statement('main') -%}
            {{ spark_create_table(target_relation, columns, sql, spark_date_column()) }}
        {%- endcall -%}
    {%- else -%}
        {%- do spark_require_columns(target_relation, columns) -%}
        {%- set new_rows = this.incorporate(path={'identifier': this.identifier ~ '__new'}, type='table') -%}
        {%- do spark_drop(new_rows) -%}
        {%- call statement('new_rows') -%} {{ spark_create_table(new_rows, columns, sql) }} {%- endcall -%}
        {%- do spark_replace_months(target_relation, new_rows, columns) -%}
        {%- do spark_drop(new_rows) -%}
    {%- endif -%}
    {{ run_hooks(post_hooks) }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}


{# Stops where the table that stands has other columns than the new rows. #}
{% macro spark_require_columns(standing, columns) %}
    {%- set stand = spark_columns('select * from ' ~ standing) -%}
    {%- if stand != columns -%}
        {%- set differ = standing ~ ' and its new rows differ in columns: ' ~ stand ~ ', ' ~ columns -%}
        {{ exceptions.raise_compiler_error(differ ~ '. Build it with --full-refresh') }}
    {%- endif -%}
{% endmacro %}


{# Writes the months anew that have a row that goes or one that comes. Dynamic overwrite leaves a month alone in which
   no row falls, so one that is emptied is dropped before. A killed run may leave a month without its files: the next
   one builds all of history anew (`read_state` of the engine). #}
{% macro spark_replace_months(target_relation, new_rows, columns) %}
    {%- set goes = context['replaced_by_' ~ config.get('incremental_strategy')]() -%}
    {%- set month = spark_month(spark_date_column()) -%}
    {%- set touched = run_query(
        'select _month, max(stays) as stays from ('
        ~ 'select _month, goes, 1 - goes as stays from ('
        ~ 'select _month, case when ' ~ goes ~ ' then 1 else 0 end as goes from ' ~ target_relation ~ ' as standing'
        ~ ') as judged union all select ' ~ month ~ ' as _month, 1 as goes, 1 as stays from ' ~ new_rows
        ~ ') as months group by _month having max(goes) = 1'
    ).rows -%}
    {%- for row in touched if not row[1] -%}
        {%- call statement('empty') -%}
            alter table {{ target_relation }} drop if exists partition (_month = date'{{ row[0] }}')
        {%- endcall -%}
    {%- endfor -%}
    {%- set kept = [] -%}
    {%- for row in touched if row[1] -%} {%- do kept.append("date'" ~ row[0] ~ "'") -%} {%- endfor -%}
    {%- call statement('main') -%}
        {%- if kept -%}
            insert overwrite table {{ target_relation }} partition (_month) ({{ columns | join(', ') }}, _month)
            select {{ columns | join(', ') }}, _month
            from (
                select {{ columns | join(', ') }}, _month
                from {{ target_relation }} as standing
                where _month in ({{ kept | join(', ') }}) and not coalesce({{ goes }}, false)
                union all
                select {{ columns | join(', ') }}, {{ month }} as _month
                from {{ new_rows }}
            ) as rows
            distribute by _month
        {%- else -%}
            select 0 as month_count
        {%- endif -%}
    {%- endcall -%}
{% endmacro %}


{# Seeds: dbt-spark puts values into the statement without escaping quotes. #}
{% macro spark__create_csv_table(model, agate_table) %}
    {%- set types = model['config'].get('column_types', {}) -%}
    {%- set columns = [] -%}
    {%- for name in agate_table.column_names -%}
        {%- set type = types.get(name, adapter.convert_type(agate_table, loop.index0)) -%}
        {%- do columns.append(name ~ ' ' ~ spark_sql(type)) -%}
    {%- endfor -%}
    {%- set sql = 'create table ' ~ this ~ ' (' ~ columns | join(', ') ~ ') using parquet' -%}
    {%- call statement('_') -%} {{ sql }} {%- endcall -%}
    {{ return(sql) }}
{% endmacro %}

{% macro spark__load_csv_rows(model, agate_table) %}
    {%- set types = model['config'].get('column_types', {}) -%}
    {%- set rows = [] -%}
    {%- for row in agate_table.rows -%}
        {%- set values = [] -%}
        {%- for value in row -%}
            {%- set name = agate_table.column_names[loop.index0] -%}
            {%- set type = types.get(name, adapter.convert_type(agate_table, loop.index0)) -%}
            {%- do values.append('cast(' ~ spark_literal(value) ~ ' as ' ~ spark_sql(type) ~ ')') -%}
        {%- endfor -%}
        {%- do rows.append('(' ~ values | join(', ') ~ ')') -%}
    {%- endfor -%}
    {%- set sql = 'insert into ' ~ this ~ ' values ' ~ rows | join(', ') -%}
    {%- if rows -%} {%- do adapter.add_query(sql, abridge_sql_log=True) -%} {%- endif -%}
    {{ return(sql) }}
{% endmacro %}

{# A value as a literal of text, which is cast to its type. #}
{% macro spark_literal(value) -%}
    {%- if value is none -%} {{ return('null') }} {%- endif -%}
    {{ return("'" ~ (value | string).replace('\\', '\\\\').replace("'", "\\'") ~ "'") }}
{%- endmacro %}


{# What dbt-spark has for these goes by whole seconds of a moment, and costs a conversion there and back per row. #}
{% macro spark__dateadd(datepart, interval, from_date_or_timestamp) -%}
    timestampadd({{ datepart }}, cast({{ interval }} as int), {{ from_date_or_timestamp }})
{%- endmacro %}

{% macro spark__datediff(first_date, second_date, datepart) -%}
    timestampdiff({{ datepart }}, {{ first_date }}, {{ second_date }})
{%- endmacro %}

{# dbt-spark's own joins texts in no order. #}
{% macro spark__listagg(measure, delimiter_text, order_by_clause, limit_num) -%}
    listagg({{ measure }}, {{ delimiter_text }})
    {%- if order_by_clause %} within group ({{ order_by_clause }}) {%- endif %}
{%- endmacro %}

{# A test that is a node of its own. #}
{% macro spark__get_test_sql(main_sql, fail_calc, warn_if, error_if, limit) -%}
    {{ dbt.default__get_test_sql(spark_sql(main_sql), fail_calc, warn_if, error_if, limit) }}
{%- endmacro %}
