-- Each table is read once, for all of its columns: which of them count is chosen in the seed.
{%- set measured = {} %}
{%- for table, condition in measured_tables().items() %}
    {%- set relation = ref(table) %}
    {#- A run that failed publishes ops with what it built; what is compiled for the lineage is the whole. #}
    {%- if not execute or flags.WHICH == 'compile' or load_relation(relation) is not none %}
        {%- do measured.update({table: condition}) %}
    {%- endif %}
{%- endfor %}
with elements as (

    select element from {{ ref('critical_elements') }}

){% for table, condition in measured.items() %},

{{ table }}_counts as (

    select
        count(*) as row_count
        {%- for column in described_columns(table) %},
        count({{ column }}) as {{ column }}
        {%- endfor %}
    from {{ ref(table) }}
    {{ 'where ' ~ condition if condition }}

){% endfor %},

counted as (

    select
        elements.element,
        case
            when elements.element is null then 0
            {%- for table in measured %}
            when elements.element like 'marts.{{ table }}.%' then {{ table }}_counts.row_count
            {%- endfor %}
        end as row_count,
        case elements.element
            when '' then 0
            {%- for table in measured %}
            {%- for column in described_columns(table) %}
            when 'marts.{{ table }}.{{ column }}' then {{ table }}_counts.{{ column }}
            {%- endfor %}
            {%- endfor %}
        end as filled_count
    from elements
    {%- for table in measured %}
    cross join {{ table }}_counts
    {%- endfor %}

)

select
    element,
    {{ date_literal(var('business_date')) }} as business_date,
    cast(row_count as bigint) as row_count,
    cast(filled_count as bigint) as filled_count,
    cast(filled_count as double precision) / nullif(row_count, 0) as filled_rate
from counted
