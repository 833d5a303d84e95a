{# The marts whose columns can be critical data elements, with the condition for their rows of the business date: facts
   of history are read for that day alone, all else is as of it. #}
{% macro measured_tables() -%}
    {%- set today = 'business_date = ' ~ date_literal(var('business_date')) -%}
    {{ return({
        'customer_360': '', 'credit_watch': '', 'dim_account': '',
        'fct_balances_daily': today, 'fct_transactions': today
    }) }}
{%- endmacro %}

{# The columns of a model, as its YAML describes them; while dbt parses none is known. #}
{% macro described_columns(model) -%}
    {{ return(graph.nodes['model.bank.' ~ model].columns.keys() | list if execute else []) }}
{%- endmacro %}

{# Rows of a seed that name no column of the measured tables. Like `has_rows` it stops with their names. #}
{% test names_measured_columns(model, column_name, seed) %}
with known as (
    select '' as element
    {%- for table in measured_tables() %}
    {%- for column in described_columns(table) %}
    union all select 'marts.{{ table }}.{{ column }}'
    {%- endfor %}
    {%- endfor %}
),

problems as (
    select {{ dbt.listagg('given.' ~ column_name, "', '") }} as elements
    from {{ model }} as given
    left join known on given.{{ column_name }} = known.element
    where known.element is null
)

select *
from problems
where elements is not null
    and cast(
        'the seed {{ seed }} names what is no column of {{ measured_tables() | join(', ') }}: ' || elements as integer
    ) is not null
{% endtest %}
