{# A table on DuckDB is replaced in its transaction: readers of the engine see the old or the new one. dbt-duckdb's own
   materialization builds it beside, renames twice and drops, for engines that cannot: five statements more for each of
   150 tables of every business date. Indexes and grants are not for the build engine on DuckDB. #}
{% materialization table, adapter='duckdb', supported_languages=['sql'] %}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='table') -%}
    {{ run_hooks(pre_hooks) }}
    {%- call statement('main') -%}
        {% if existing is not none -%} drop {{ existing.type }} {{ existing }}; {%- endif %}
        {{ create_table_as(False, target_relation, compiled_code) }}
    {%- endcall %}
    {{ run_hooks(post_hooks) }}
    {% do adapter.commit() %}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}


{# The columns of a contract are compared with the query's once, when the table is made. A table that stands was made by
   this very project (`build` drops what another made), and the comparison costs two queries and the rendering of every
   column twice. Whoever edits a model and runs dbt by hand adds `--full-refresh`; without it a missing column, or a
   value that does not fit its type, still fails: the table is created from the contract. #}
{% macro default__get_assert_columns_equivalent(sql) -%}
    {%- if should_full_refresh() or load_cached_relation(this) is none -%}
        {{ return(assert_columns_equivalent(sql)) }}
    {%- endif -%}
{%- endmacro %}
