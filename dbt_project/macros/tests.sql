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
