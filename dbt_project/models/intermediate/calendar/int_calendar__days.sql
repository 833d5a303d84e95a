{#- Calendar years: from well before the first account to the end of the year after the business date. -#}
{%- set last_day = (var('business_date') | string)[:4] | int + 2 -%}
with days as (

    {{ dbt.date_spine('day', date_literal('1990-01-01'), date_literal(last_day ~ '-01-01')) }} -- noqa: PRS

),

dates as (

    select cast(date_day as date) as date_day
    from days

),

holidays as (

    select * from {{ ref('stg_reference__holidays') }}

),

numbered as (

    select
        dates.date_day,
        -- 1990-01-01 was a Monday
        mod({{ days_between(date_literal('1990-01-01'), 'dates.date_day') }}, 7) + 1 as day_of_week,
        holidays.holiday_name,
        holidays.is_workday
    from dates
    left join holidays on dates.date_day = holidays.holiday_date

)

select
    date_day,
    cast(extract(year from date_day) as integer) as year_number,
    cast(extract(quarter from date_day) as integer) as quarter_number,
    cast(extract(month from date_day) as integer) as month_number,
    cast(date_trunc('month', date_day) as date) as month_date,
    cast({{ dbt.last_day('date_day', 'month') }} as date) as month_end_date,
    cast(day_of_week as integer) as day_of_week,
    day_of_week >= 6 as is_weekend,
    holiday_name is not null and not coalesce(is_workday, false) as is_holiday,
    coalesce(is_workday, day_of_week < 6) as is_workday,
    date_day = cast({{ dbt.last_day('date_day', 'month') }} as date) as is_month_end,
    holiday_name
from numbered
