{# The data tests of the models that this run has built: each model's in one query, all of them at the end, instead of a
   node each: dbt takes longer to render and to hand over the node of a test than the engine takes to answer it.
   `lakehouse/warehouse/dbt.py` leaves these tests out of the nodes, asks for this by the variable `checks_at_end`, and
   reads the line that is logged; a run by hand tests as dbt does. Nodes of their own stay what is not plainly "no row
   may be found in a model that stands": tests of seeds, which stop before a model reads them, warnings, and queries
   under `tests`. #}
{% macro check_built_models() %}
    {%- if execute and var('checks_at_end', false) -%}
        {%- set done = results | selectattr('status', 'equalto', 'success') -%}
        {%- set built = done | map(attribute='node.unique_id') | list -%}
        {%- set by_model = {} -%}
        {%- for key in graph.nodes if key.startswith('test.') -%}
            {%- set test = graph.nodes[key] -%}
            {%- if is_checked_at_end(test) and test.attached_node in built -%}
                {%- do by_model.setdefault(test.attached_node, []).append(test) -%}
            {%- endif -%}
        {%- endfor -%}
        {%- set found = [] -%}
        {%- for model, tests in by_model.items() -%}
            {%- for row in run_query(engine_sql(checks_of(graph.nodes[model], tests))).rows -%}
                {%- do found.append([row[0], row[1] | int]) -%}
            {%- endfor -%}
        {%- endfor -%}
        {%- do log(tojson({'checks': found}), info=true) -%}
    {%- endif -%}
{% endmacro %}

{# SQL that the engines share, in the words of the one that builds. #}
{% macro engine_sql(sql) -%} {{ return(adapter.dispatch('engine_sql')(sql)) }} {%- endmacro %}
{% macro default__engine_sql(sql) -%} {{ return(sql) }} {%- endmacro %}
{% macro spark__engine_sql(sql) -%} {{ return(spark_sql(sql)) }} {%- endmacro %}

{# Whether a test is one of those. #}
{% macro is_checked_at_end(test) %}
    {%- set has_node = not test.test_metadata or not test.original_file_path.startswith('models')
        or test.config.severity != 'ERROR' or 'whole_history' in test.tags -%}
    {%- if has_node -%} {{ return(false) }} {%- endif -%}
    {%- set usual = ['count(*)', '!= 0', none, none] -%}
    {%- if [test.config.fail_calc, test.config.error_if, test.config.where, test.config.limit] != usual
        or test.test_metadata.namespace
        or graph.nodes[test.attached_node].config.materialized not in ['table', 'incremental', 'view'] -%}
        {{ exceptions.raise_compiler_error(test.name ~ ' is not a test that can be asked beside others') }}
    {%- endif -%}
    {{ return(true) }}
{% endmacro %}

{# A row per test of a model: its name, and the number of rows that fail it. #}
{% macro checks_of(model, tests) %}
    {%- set relation = api.Relation.create(database=model.database, schema=model.schema, identifier=model.alias) -%}
    {%- for test in tests %}
        {%- set arguments = dict(test.test_metadata.kwargs, model=relation) %}
        {{ 'union all' if not loop.first }}
        select '{{ test.name }}' as test_name, count(*) as failures
        from ({{ context['test_' ~ test.test_metadata.name](**arguments) }}) as failing
    {%- endfor %}
{% endmacro %}
