-- noqa: disable=LT02
{{ config(tags=['serving']) }}
{%- set outcomes = ['churn', 'arrears', 'purchase'] %}
with changes as (

    select * from {{ ref('int_customer__changes_checked') }}

),

-- what came in the 90 days after a month-end, as the scores define it
outcomes as (

    select
        customer_key,
        as_of_date,
        'churn' as outcome,
        label
    from {{ ref('label_churn') }}

    union all

    select
        customer_key,
        as_of_date,
        'arrears' as outcome,
        label
    from {{ ref('label_credit_warning') }}

    union all

    select
        customer_key,
        as_of_date,
        'purchase' as outcome,
        greatest({{ product_lines() | join(', ') }}) as label
    from {{ ref('label_product_purchase') }}

),

ends as (

    select
        *,
        avg(cast(label as double precision)) over (partition by outcome, as_of_date) as usual_rate
    from outcomes
    where as_of_date > {{ change_lookback() }}
        and as_of_date = cast({{ dbt.last_day('as_of_date', 'month') }} as date)

),

months as (

    select distinct
        customer_key,
        change_kind,
        cast({{ dbt.last_day('change_date', 'month') }} as date) as as_of_date
    from changes

),

followed as (

    select
        months.change_kind,
        {%- for outcome in outcomes %}
        count(case when ends.outcome = '{{ outcome }}' then 1 end) as {{ outcome }}_followed_count,
        avg(case when ends.outcome = '{{ outcome }}' then cast(ends.label as double precision) end)
            as {{ outcome }}_rate,
        -- in decimals, so that the order of the rows does not show in the last digit
        cast(
            sum(case when ends.outcome = '{{ outcome }}' then cast(ends.usual_rate as decimal(18, 12)) end)
            as double precision
        )
        / nullif(count(case when ends.outcome = '{{ outcome }}' then 1 end), 0) as usual_{{ outcome }}_rate
        {{- ',' if not loop.last }}
        {%- endfor %}
    from months
    inner join ends on months.customer_key = ends.customer_key and months.as_of_date = ends.as_of_date
    group by months.change_kind

),

counted as (

    select
        change_kind,
        count(*) as change_count,
        count(distinct customer_key) as customer_count,
        sum(case when is_true then 1 else 0 end) as true_count
    from changes
    group by change_kind

)

select
    kinds.change_kind,
    {{ date_literal(var('business_date')) }} as as_of_date,
    kinds.is_shown,
    cast(coalesce(counted.change_count, 0) as bigint) as change_count,
    cast(coalesce(counted.customer_count, 0) as bigint) as customer_count,
    cast(coalesce(counted.true_count, 0) as bigint) as true_count,
    cast(counted.true_count as double precision) / counted.change_count as true_rate,
    {%- for outcome in outcomes %}
    cast(coalesce(followed.{{ outcome }}_followed_count, 0) as bigint) as {{ outcome }}_followed_count,
    followed.{{ outcome }}_rate,
    followed.usual_{{ outcome }}_rate,
    followed.{{ outcome }}_rate / nullif(followed.usual_{{ outcome }}_rate, 0) as {{ outcome }}_lift
    {{- ',' if not loop.last }}
    {%- endfor %}
from {{ ref('change_kinds') }} as kinds
left join counted on kinds.change_kind = counted.change_kind
left join followed on kinds.change_kind = followed.change_kind
