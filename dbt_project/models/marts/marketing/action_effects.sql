-- noqa: disable=LT02
{{ config(materialized='view') }}
{#- Wilson's interval of each share, and Newcombe's of their difference: they hold for small groups, and at 0 and 1. -#}
{%- set z = 1.959964 %}
with counts as (

    select
        action_kind,
        cast({{ dbt.date_trunc('month', 'assigned_date') }} as date) as month_date,
        cast(sum(case when is_treated then 1 else 0 end) as bigint) as treated_count,
        cast(sum(case when is_done then 1 else 0 end) as bigint) as done_count,
        cast(sum(case when is_treated then 0 else 1 end) as bigint) as control_count,
        cast(sum(case when is_treated and has_left then 1 else 0 end) as bigint) as treated_left_count,
        cast(sum(case when not is_treated and has_left then 1 else 0 end) as bigint) as control_left_count
    from {{ ref('action_assignments') }}
    group by action_kind, cast({{ dbt.date_trunc('month', 'assigned_date') }} as date)

),

shares as (

    select
        *,
        {{ share_of('treated_left_count', 'treated_count') }} as treated_left_rate,
        {{ share_of('control_left_count', 'control_count') }} as control_left_rate
    from counts

),

intervals as (

    select
        *,
        {%- for arm in ['treated', 'control'] %}
        {%- for end, sign in [('low', '-'), ('high', '+')] %}
        ({{ arm }}_left_rate + {{ z ** 2 / 2 }} / nullif({{ arm }}_count, 0) {{ sign }} {{ z }} * sqrt(
            ({{ arm }}_left_rate * (1 - {{ arm }}_left_rate) + {{ z ** 2 / 4 }} / nullif({{ arm }}_count, 0))
            / nullif({{ arm }}_count, 0)
        )) / (1 + {{ z ** 2 }} / nullif({{ arm }}_count, 0)) as {{ arm }}_{{ end }}{{ ',' if not loop.last }}
        {%- endfor %}{{ ',' if not loop.last }}
        {%- endfor %}
    from shares

)

select
    action_kind,
    month_date,
    treated_count,
    done_count,
    control_count,
    treated_left_count,
    control_left_count,
    treated_left_rate,
    control_left_rate,
    cast(control_left_rate - treated_left_rate as double precision) as effect_rate,
    cast(
        control_left_rate - treated_left_rate
        - sqrt(
            (control_left_rate - control_low) * (control_left_rate - control_low)
            + (treated_high - treated_left_rate) * (treated_high - treated_left_rate)
        )
        as double precision
    ) as effect_low_rate,
    cast(
        control_left_rate - treated_left_rate
        + sqrt(
            (control_high - control_left_rate) * (control_high - control_left_rate)
            + (treated_left_rate - treated_low) * (treated_left_rate - treated_low)
        )
        as double precision
    ) as effect_high_rate
from intervals
