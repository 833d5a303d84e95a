-- noqa: disable=LT02
{%- set states = ['star_tier', 'life_cycle_stage'] %}
with months as (

    select
        customer_key,
        as_of_date,
        aum_amount,
        {% for state in states -%}
        {{ state }},
        lag({{ state }}) over by_month as previous_{{ state }}{{ ',' if not loop.last }}
        {% endfor -%}
    from {{ ref('customer_360_monthly') }}
    window by_month as (partition by customer_key order by as_of_date)

),

moves as (

    {% for state in states -%}
    select
        as_of_date,
        '{{ state }}' as state_kind,
        coalesce(cast(previous_{{ state }} as varchar), 'new') as from_state,
        cast({{ state }} as varchar) as to_state,
        aum_amount
    from months
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

cells as (

    select
        as_of_date,
        state_kind,
        from_state,
        to_state,
        count(*) as customer_count,
        sum(aum_amount) as aum_amount
    from moves
    group by as_of_date, state_kind, from_state, to_state

)

select
    as_of_date,
    cast(state_kind as varchar) as state_kind,
    cast(from_state as varchar) as from_state,
    cast(to_state as varchar) as to_state,
    cast(customer_count as bigint) as customer_count,
    cast(
        cast(customer_count as double precision)
            / sum(customer_count) over (partition by as_of_date, state_kind, from_state)
        as double precision
    ) as transition_rate,
    cast(aum_amount as decimal(38, 2)) as aum_amount
from cells
