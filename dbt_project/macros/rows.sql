{# Of the rows that share `key`, the one that the bank told last: states are corrected by being told again. #}
{% macro last_known(relation, key) -%}
    select *
    from (
        select
            *,
            row_number() over (
                partition by {{ key | join(', ') }} order by _known_date desc, _delivery desc, _row desc
            ) as telling
        from {{ relation }}
    ) as tellings
    where telling = 1
{%- endmacro %}

{# True for rows of an event feed that are not a repeat of an event told before (see int_ops__repeated_events). #}
{% macro is_first_telling(feed, key) -%}
    not exists (
        select 1
        from {{ ref('int_ops__repeated_events') }} as repeated
        where repeated.feed = '{{ feed }}'
            and repeated.valid_to is null
            and repeated.event_key = {{ key }}
            and repeated.dropped_delivery = _delivery
            and repeated.dropped_row = _row
    )
{%- endmacro %}

{# True where `date` lies in the half-open validity of `relation`; null stands for "still". #}
{% macro is_valid_on(relation, date) -%}
    {{ date }} >= {{ relation }}.valid_from
        and ({{ date }} < {{ relation }}.valid_to or {{ relation }}.valid_to is null)
{%- endmacro %}
