{# Amounts held per `key` (an account or a holding) on each `day` of `dates`, from rows that state an amount for the
   days on which it changed. Grain: `day` x position_key. `amount_days_90d` is the sum of the amounts at the end of the
   90 days that end on `day`, `amount_days_previous_90d` of the 90 before (a 90th of it is the average);
   `amount_<n>d_ago` is the amount at the end of that day, for the numbers in `sampled`; no row yet is 0. `attributes`
   are columns of the row that stands on `day`.

   `first_day` is a date at least 180 days before the first `day`: what was replaced before it is not read.

   A key whose rows became known in the order of their business dates has one history, so one pass over it serves every
   day. A key with a late or a replaced row has as many histories as days: its rows are laid out once per day. #}
{% macro positions_known_on(relation, key, amount, dates, day, first_day, sampled, attributes=[]) %}
{%- set columns = [amount] + attributes -%}
with spans as (
{{ state_spans(relation, key, columns, first_day, dates) }}
),

sequenced as (
    select
        *,
        lead(business_date) over (partition by {{ key }} order by business_date, known_date) as until_date,
        lead(known_date) over (partition by {{ key }} order by business_date, known_date) as until_known_date
    from spans
),

restated as (
    select {{ key }}
    from sequenced
    where superseded_date is not null or known_date > until_known_date
    group by {{ key }}
),

marked as (
    select sequenced.*, restated.{{ key }} is not null as is_restated
    from sequenced
    left join restated on sequenced.{{ key }} = restated.{{ key }}
),

plain_periods as (
    select
        dates.{{ day }},
        marked.{{ key }},
        {%- for column in columns %}
        marked.{{ column }},
        {%- endfor %}
        marked.business_date as from_date,
        case when marked.until_known_date <= dates.{{ day }} then marked.until_date end as until_date
    from marked
    inner join {{ dates }} as dates
        on marked.known_date <= dates.{{ day }}
        and marked.business_date <= dates.{{ day }}
        and (
            marked.until_date is null
            or marked.until_known_date > dates.{{ day }}
            or marked.until_date > {{ features_days_before('dates.' ~ day, 180) }}
        )
    where not marked.is_restated
),

restated_periods as (
    select
        dates.{{ day }},
        marked.{{ key }},
        {%- for column in columns %}
        marked.{{ column }},
        {%- endfor %}
        marked.business_date as from_date,
        lead(marked.business_date) over (
            partition by dates.{{ day }}, marked.{{ key }} order by marked.business_date
        ) as until_date
    from marked
    inner join {{ dates }} as dates
        on marked.known_date <= dates.{{ day }}
        and (marked.superseded_date is null or marked.superseded_date > dates.{{ day }})
        and marked.business_date <= dates.{{ day }}
    where marked.is_restated
),

held as (
    select
        {{ day }},
        {{ key }},
        {{ columns | join(', ') }},
        {{ days_between('from_date', day) }} as first_days_ago,
        coalesce({{ days_between('until_date', day) }} + 1, 0) as last_days_ago
    from (select * from plain_periods union all select * from restated_periods) as periods
)

select
    {{ day }},
    {{ key }} as position_key,
    {%- for column in attributes %}
    max({{ column }}) filter (where last_days_ago = 0) as {{ column }},
    {%- endfor %}
    {%- for days in sampled %}
    cast(
        coalesce(
            sum({{ amount }}) filter (where {{ days }} between last_days_ago and first_days_ago), 0
        ) as decimal(38,2)
    ) as amount_{{ days }}d_ago,
    {%- endfor %}
    cast(
        coalesce(
            sum({{ amount }} * (least(first_days_ago, 89) - last_days_ago + 1)) filter (where last_days_ago <= 89), 0
        ) as decimal(38,2)
    )
        as amount_days_90d,
    cast(coalesce(sum({{ amount }} * (least(first_days_ago, 179) - greatest(last_days_ago, 90) + 1))
        filter (where first_days_ago >= 90 and last_days_ago <= 179), 0) as decimal(38,2)) as amount_days_previous_90d
from held
group by {{ day }}, {{ key }}
{% endmacro %}

{# Days before the day at whose end an amount is sampled: today and every 15 days of the last 90. #}
{% macro sampled_days() %}{{ return([0, 15, 30, 45, 60, 75, 90]) }}{% endmacro %}
