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
