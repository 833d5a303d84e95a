{# The schema that a model names is the schema it gets: the same on every engine. #}
{% macro generate_schema_name(custom_schema_name, node) %}{{ custom_schema_name or target.schema }}{% endmacro %}
