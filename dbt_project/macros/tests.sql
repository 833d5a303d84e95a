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

{# Rows for which the arithmetic fails. #}
{% test holds_for_every_row(model, condition) %}
select *
from {{ model }}
where not ({{ condition }})
{% endtest %}
