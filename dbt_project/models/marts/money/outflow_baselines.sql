{%- set this_month = date_literal(month_start(var('business_date'))) %}
{%- set last_month = 'cast(' ~ dbt.dateadd('month', -1, this_month) ~ ' as date)' %}
{#- at the end of a month also what the next one is judged by, within its first day -#}
{%- set today = modules.datetime.date.fromisoformat(var('business_date') | string) %}
{%- set months = [this_month, last_month] %}
{%- if (today + modules.datetime.timedelta(days=1)).day == 1 %}
{%- do months.append('cast(' ~ dbt.dateadd('month', 1, this_month) ~ ' as date)') %}
{%- endif %}
with days as (

    select
        months.month_date,
        days.customer_key,
        days.flow_kind,
        days.season,
        ln(cast(days.amount as double precision)) as log_amount
    from {{ ref('int_money__outflow_days') }} as days
    inner join (
        {%- for month in months %}
        {% if not loop.first %}union all {% endif %}select {{ month }} as month_date
        {%- endfor %}
    ) as months
        on days.business_date < months.month_date
            and days.business_date >= {{ dbt.dateadd('month', -6, 'months.month_date') }}

),

-- a season of its own, and all days for seasons with too few
grouped as (

    select * from days
    union all
    select month_date, customer_key, flow_kind, 'any', log_amount from days

),

medians as (

    select
        month_date,
        customer_key,
        flow_kind,
        season,
        count(*) as day_count,
        percentile_cont(0.5) within group (order by log_amount) as center
    from grouped
    group by month_date, customer_key, flow_kind, season
    having count(*) >= {{ limit('money_thresholds', 'outflow_minimum_days') }}

),

spreads as (

    select
        medians.month_date,
        medians.customer_key,
        medians.flow_kind,
        medians.season,
        medians.day_count,
        medians.center,
        greatest(
            cast(1.4826 as double precision)
            * percentile_cont(0.5) within group (order by abs(grouped.log_amount - medians.center)),
            cast({{ limit('money_thresholds', 'outflow_least_spread') }} as double precision)
        ) as spread
    from grouped
    inner join medians
        on grouped.month_date = medians.month_date
            and grouped.customer_key = medians.customer_key
            and grouped.flow_kind = medians.flow_kind
            and grouped.season = medians.season
    group by
        medians.month_date, medians.customer_key, medians.flow_kind, medians.season, medians.day_count, medians.center

),

seasons as (

    select 'holiday' as season union all select 'payday' union all select 'ordinary'

),

chosen as (

    select
        any_season.month_date,
        any_season.customer_key,
        any_season.flow_kind,
        seasons.season,
        coalesce(own.day_count, any_season.day_count) as day_count,
        coalesce(own.center, any_season.center) as center,
        coalesce(own.spread, any_season.spread) as spread
    from spreads as any_season
    cross join seasons
    left join spreads as own
        on any_season.month_date = own.month_date
            and any_season.customer_key = own.customer_key
            and any_season.flow_kind = own.flow_kind
            and seasons.season = own.season
    where any_season.season = 'any'

)

select
    chosen.customer_key,
    chosen.month_date,
    cast(chosen.flow_kind as varchar) as flow_kind,
    cast(chosen.season as varchar) as season,
    cast(chosen.day_count as bigint) as day_count,
    chosen.center,
    chosen.spread,
    exp(chosen.center) as usual_amount,
    greatest(
        cast({{ limit('money_thresholds', 'outflow_minimum_amount') }} as double precision),
        exp(chosen.center + cast({{ limit('money_thresholds', 'outflow_z') }} as double precision) * chosen.spread)
    ) as alert_amount
from chosen
