{# True for a row that was known on `day`: delivered by then, and its version not yet replaced. #}
{% macro is_known_on(rows, day) -%}
    {{ rows }}._known_date <= {{ day }}
        and ({{ rows }}._superseded_date is null or {{ rows }}._superseded_date > {{ day }})
{%- endmacro %}

{# The state of every `key` on each `day` of `dates`: its last row by business date among those known on that day. #}
{% macro states_known_on(relation, key, dates, day) %}
    select * from (
        select
            dates.{{ day }} as state_date,
            versions.*,
            row_number() over (
                partition by dates.{{ day }}, versions.{{ key }}
                order by
                    versions.business_date desc, versions._known_date desc, versions._delivery desc, versions._row desc
            ) as recency
        from {{ relation }} as versions
        inner join {{ dates }} as dates
            on {{ is_known_on('versions', 'dates.' ~ day) }}
            and versions.business_date <= dates.{{ day }}
    ) as ranked
    where recency = 1
{% endmacro %}

{# Events with the span in which they counted: `known_date` to `superseded_date` (exclusive, null while it counts). An
   event that is told again counts once: its later telling counts from the day on which no earlier one stands any more,
   if that day comes. #}
{% macro event_spans(feed, relation, key, columns, condition='true') %}
    select
        {%- for column in columns %}
        versions.{{ column }},
        {%- endfor %}
        versions.business_date,
        coalesce(repeated.until_date, versions._known_date) as known_date,
        versions._superseded_date as superseded_date
    from {{ relation }} as versions
    left join (
        select
            event_key,
            dropped_delivery,
            dropped_row,
            max(coalesce(valid_to, cast('9999-12-31' as date))) as until_date
        from {{ ref('int_ops__repeated_events') }}
        where feed = '{{ feed }}'
        group by event_key, dropped_delivery, dropped_row
    ) as repeated
        on versions.{{ key }} = repeated.event_key
        and versions._delivery = repeated.dropped_delivery
        and versions._row = repeated.dropped_row
    where {{ condition }}
        and (
            repeated.until_date is null
            or repeated.until_date < coalesce(versions._superseded_date, cast('9999-12-31' as date))
        )
{% endmacro %}

{# Daily states with the span in which they stood: `known_date` to `superseded_date` (exclusive, null while it stands).
   A state that is told again is corrected: the later telling takes its place from the day that one is known. Only dates
   that came in more than one delivery can hold such rows; the others are spared the window.

   No row is read that is older than the last state that every day from `first_day` on saw in place, and none where
   `dates` is empty: on most days no label gets ripe. #}
{% macro state_spans(relation, key, columns, first_day, dates) %}
    select {{ key }}, {{ columns | join(', ') }}, business_date, _known_date as known_date, _superseded_date
        as superseded_date
    from ({{ states_since(relation, key, first_day, dates) }}) as states
    where business_date not in ({{ contested_dates(relation) }})
    union all
    select {{ key }}, {{ columns | join(', ') }}, business_date, known_date, superseded_date
    from (
        select
            {{ key }},
            {{ columns | join(', ') }},
            business_date,
            _known_date as known_date,
            least(_superseded_date, lead(_known_date) over (
                partition by {{ key }}, business_date order by _known_date, _delivery, _row
            )) as superseded_date
        from ({{ states_since(relation, key, first_day, dates) }}) as states
        where business_date in ({{ contested_dates(relation) }})
    ) as contested
    where superseded_date is null or superseded_date > known_date
{% endmacro %}

{% macro states_since(relation, key, first_day, dates) %}
    select * from {{ relation }}
    where business_date >= {{ first_day }} and exists (select 1 from {{ dates }})
    union all
    select versions.*
    from {{ relation }} as versions
    left join (
        select {{ key }}, max(business_date) as opening_date
        from {{ relation }}
        where business_date < {{ first_day }} and _known_date < {{ first_day }} and _superseded_date is null
        group by {{ key }}
    ) as openings
        on versions.{{ key }} = openings.{{ key }}
    where versions.business_date < {{ first_day }} and exists (select 1 from {{ dates }})
        and (openings.opening_date is null or versions.business_date >= openings.opening_date)
{% endmacro %}

{% macro contested_dates(relation) -%}
    select business_date from {{ relation }} group by business_date having min(_delivery) <> max(_delivery)
{%- endmacro %}
