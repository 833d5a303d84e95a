{# More than one row with the same values in `columns`; of an incremental model, whose dates stand in `date_column`, in
   the months of this run. (A `where` of dbt's own would be fixed when the project is parsed.) #}
{% test has_unique_key(model, columns, date_column=none) %}
select {{ columns | join(', ') }}
from {{ model }}
{% if date_column %}where {{ months_of_run(date_column) }}{% endif %}
group by {{ columns | join(', ') }}
having count(*) > 1
{% endtest %}

{# Spells of one key that overlap, leave a gap, or end before they begin. #}
{% test spells_join_up(model, key) %}
with neighbours as (
    select
        {{ key }},
        valid_from,
        valid_to,
        lead(valid_from) over (partition by {{ key }} order by valid_from) as next_from
    from {{ model }}
)
select * from neighbours
where valid_to <= valid_from or valid_to is distinct from next_from
{% endtest %}

{# Spells of one key whose neighbours say the same: a change that changes nothing. #}
{% test neighbours_differ(model, key) %}
{%- set spell = [key, 'valid_from', 'valid_to', 'is_current'] + [
    'previous_star_tier', 'previous_life_cycle_stage', 'reason_code', 'reason_en', 'reason_zh'] %}
{%- set attributes = adapter.get_columns_in_relation(model) | map(attribute='name') | reject('in', spell) | list %}
with neighbours as (
    select
        {{ key }},
        valid_from
        {%- for attribute in attributes %},
        {{ attribute }},
        lag({{ attribute }}) over by_day as previous_{{ attribute }}
        {%- endfor %},
        lag(valid_from) over by_day as previous_valid_from
    from {{ model }}
    window by_day as (partition by {{ key }} order by valid_from)
)
select
    {{ key }},
    valid_from
from neighbours
where previous_valid_from is not null
    {%- for attribute in attributes %}
    and {{ attribute }} is not distinct from previous_{{ attribute }}
    {%- endfor %}
{% endtest %}

{# Rows for which the arithmetic fails. #}
{% test holds_for_every_row(model, condition) %}
select *
from {{ model }}
where not ({{ condition }})
{% endtest %}

{# Rows of a seed of limits that are missing, doubled, or lack a value. A limit that is not there would be none at all:
   the test does not fail, it stops with the names of the seed and of the rows, which a number of failures would hide.
   `rows` are the values of the `key` joined by ":"; a bank's further rows stand beside them. #}
{% test has_rows(model, seed, key, values, rows) %}
with expected as (
    {%- for row in rows %}
    select '{{ row }}' as row_name{{ ' union all' if not loop.last }}
    {%- endfor %}
),

given as (
    select
        {% for column in key -%}
        {{ "|| ':' || " if not loop.first }}coalesce(cast({{ column }} as varchar), '')
        {% endfor %} as row_name
    from {{ model }}
    {%- for column in values %}
    {{ 'where' if loop.first else 'and' }} {{ column }} is not null
    {%- endfor %}
),

problems as (
    select {{ dbt.listagg('expected.row_name', "', '") }} as row_names
    from expected
    left join (select row_name, count(*) as row_count from given group by row_name) as counted
        on expected.row_name = counted.row_name
    where coalesce(counted.row_count, 0) <> 1
)

select *
from problems
where row_names is not null
    and cast('the seed {{ seed }} needs one row, with every value, for each of: ' || row_names as integer) is not null
{% endtest %}
