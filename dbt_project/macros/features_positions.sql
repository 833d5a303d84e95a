{# Amounts held per `key` (an account or a holding) on each `day` of `dates`, from rows that state an amount for the days on which it
   changed. Grain: `day` x position_key. `amount_days_90d` is the sum of the amounts at the end of the 90 days that end on `day`,
   `amount_days_previous_90d` of the 90 before (a 90th of it is the average); `amount_<n>d_ago` is the amount at the end of that day; no row yet is 0.

   `first_day` is a date at least 180 days before the first `day`: what was replaced before it is not read.

   A key whose rows became known in the order of their business dates has one history, so one pass over it serves every day. A key with
   a late or a replaced row has as many histories as days: its rows are laid out once per day. #}
{% macro features_positions(relation, key, amount, dates, day, first_day) %}
with spans as (
{{ features_state_spans(relation, key, amount, first_day) }}
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

plain_periods as (
    select
        dates.{{ day }},
        sequenced.{{ key }},
        sequenced.{{ amount }} as amount,
        sequenced.business_date as from_date,
        case when sequenced.until_known_date <= dates.{{ day }} then sequenced.until_date end as until_date
    from sequenced
    inner join {{ dates }} as dates
        on sequenced.known_date <= dates.{{ day }}
        and sequenced.business_date <= dates.{{ day }}
        and (
            sequenced.until_date is null
            or sequenced.until_known_date > dates.{{ day }}
            or sequenced.until_date > {{ features_days_before('dates.' ~ day, 180) }}
        )
    where not exists (select 1 from restated where restated.{{ key }} = sequenced.{{ key }})
),

restated_periods as (
    select
        dates.{{ day }},
        spans.{{ key }},
        spans.{{ amount }} as amount,
        spans.business_date as from_date,
        lead(spans.business_date) over (
            partition by dates.{{ day }}, spans.{{ key }} order by spans.business_date
        ) as until_date
    from spans
    inner join {{ dates }} as dates
        on spans.known_date <= dates.{{ day }}
        and (spans.superseded_date is null or spans.superseded_date > dates.{{ day }})
        and spans.business_date <= dates.{{ day }}
    where exists (select 1 from restated where restated.{{ key }} = spans.{{ key }})
),

held as (
    select
        {{ day }},
        {{ key }},
        amount,
        {{ days_between('from_date', day) }} as first_days_ago,
        coalesce({{ days_between('until_date', day) }} + 1, 0) as last_days_ago
    from (select * from plain_periods union all select * from restated_periods) as periods
)

select
    {{ day }},
    {{ key }} as position_key,
    {%- for days in features_sampled_days() %}
    cast(coalesce(sum(amount) filter (where {{ days }} between last_days_ago and first_days_ago), 0) as decimal(38,2)) as amount_{{ days }}d_ago,
    {%- endfor %}
    cast(coalesce(sum(amount * (least(first_days_ago, 89) - last_days_ago + 1)) filter (where last_days_ago <= 89), 0) as decimal(38,2))
        as amount_days_90d,
    cast(coalesce(sum(amount * (least(first_days_ago, 179) - greatest(last_days_ago, 90) + 1))
        filter (where first_days_ago >= 90 and last_days_ago <= 179), 0) as decimal(38,2)) as amount_days_previous_90d
from held
group by {{ day }}, {{ key }}
{% endmacro %}

{# Days before the day at whose end an amount is sampled: today and every 15 days of the last 90. #}
{% macro features_sampled_days() %}{{ return([0, 15, 30, 45, 60, 75, 90]) }}{% endmacro %}
