{# A table on DuckDB is replaced in its transaction: readers of the engine see the old or the new one. dbt-duckdb's own
   materialization builds it beside, renames twice and drops, for engines that cannot: five statements more for each of
   150 tables of every business date. Indexes and grants are not for the build engine on DuckDB. #}
{% materialization table, adapter='duckdb', supported_languages=['sql'] %}
    {%- set target_relation = this.incorporate(type='table') -%}
    {{ run_hooks(pre_hooks) }}
    {%- call statement('main') -%}
        {{ replace_table(load_cached_relation(this), target_relation) }}
    {%- endcall %}
    {{ run_hooks(post_hooks) }}
    {% do adapter.commit() %}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}


{# An incremental table on DuckDB, likewise: dbt-duckdb asks four times for columns of the new rows and of the table
   that stands, here both are compared at once. The new rows wait in a temporary table, which goes with the
   connection. #}
{% materialization incremental, adapter='duckdb', supported_languages=['sql'] %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='table') -%}
    {{ run_hooks(pre_hooks) }}
    {%- if existing is none or existing.is_view or should_full_refresh() -%}
        {%- set build_sql = replace_table(existing, target_relation) -%}
    {%- else -%}
        {%- set new_rows = make_temp_relation(target_relation) -%}
        {%- call statement('new_rows') -%} {{ create_table_as(True, new_rows, compiled_code) }} {%- endcall -%}
        {%- set strategy = adapter.get_incremental_strategy_macro(context, config.get('incremental_strategy')) -%}
        {%- set build_sql = strategy({
            'target_relation': target_relation,
            'temp_relation': new_rows,
            'dest_columns': columns_of_both(new_rows, target_relation),
        }) -%}
    {%- endif -%}
    {%- call statement('main') -%} {{ build_sql }} {%- endcall %}
    {{ run_hooks(post_hooks) }}
    {% do adapter.commit() %}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}


{# SQL that makes a table anew, in place of what stands under its name. #}
{% macro replace_table(existing, target_relation) -%}
    {% if existing is not none -%} drop {{ existing.type }} {{ existing }}; {%- endif %}
    {{ create_table_as(False, target_relation, compiled_code) }}
{%- endmacro %}


{# The columns of two relations that have the same, whatever their order: a name or type that only one of them has stops
   the build. #}
{% macro columns_of_both(new_rows, standing) %}
    {%- call statement('columns', fetch_result=true) -%}
        select column_name, column_type, count(*) as relation_count
        from (
            select column_name, column_type from (describe {{ new_rows }})
            union all
            select column_name, column_type from (describe {{ standing }})
        )
        group by all
        order by all
    {%- endcall -%}
    {%- set columns = [] -%}
    {%- set differing = [] -%}
    {%- for row in load_result('columns').data -%}
        {%- do columns.append(api.Column(row[0], row[1])) -%}
        {%- if row[2] != 2 -%} {%- do differing.append(row[0] ~ ' ' ~ row[1]) -%} {%- endif -%}
    {%- endfor -%}
    {%- if differing -%}
        {%- set differ = ' and its new rows differ in columns: ' ~ differing | join(', ') -%}
        {{ exceptions.raise_compiler_error(standing ~ differ ~ '. Build it with --full-refresh') }}
    {%- endif -%}
    {{ return(columns) }}
{% endmacro %}



{# The columns of a contract are compared with the query's once, when the table is made. A table that stands was made by
   this very project (`build` drops what another made), and the comparison costs two queries and the rendering of every
   column twice. Whoever edits a model and runs dbt by hand adds `--full-refresh`; without it a missing column, or a
   value that does not fit its type, still fails: the table is created from the contract. #}
{% macro default__get_assert_columns_equivalent(sql) -%}
    {%- if should_full_refresh() or load_cached_relation(this) is none -%}
        {{ return(assert_columns_equivalent(sql)) }}
    {%- endif -%}
{%- endmacro %}


{# Statistics of a table that was just built: Postgres gathers them by itself minutes later, and until then joins the
   next models by guesses of a few rows (one took more than ten minutes, and eight seconds with them). #}
{% macro analyzed() -%}
    {%- if target.type == 'postgres' and model.config.materialized != 'view' -%} analyze {{ this }} {%- endif -%}
{%- endmacro %}
