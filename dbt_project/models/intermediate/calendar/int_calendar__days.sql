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

),

worked as (

    select
        *,
        coalesce(is_workday, day_of_week < 6) as is_worked,
        max(case when coalesce(is_workday, day_of_week < 6) then date_day end) over (
            order by date_day rows unbounded preceding
        ) as last_worked_date
    from numbered

),

-- who is paid on a day that is not worked, is paid before
paid as (

    select distinct worked.last_worked_date
    from worked
    inner join {{ ref('pay_days') }} as pay_days
        on cast(extract(day from worked.date_day) as integer) = pay_days.day_of_month
    where pay_days.currency = '{{ var("currency") }}'

),

festivals as (

    select festival_date
    from {{ ref('spring_festivals') }}
    where currency = '{{ var("currency") }}'

)

select
    worked.date_day,
    cast(extract(year from worked.date_day) as integer) as year_number,
    cast(extract(quarter from worked.date_day) as integer) as quarter_number,
    cast(extract(month from worked.date_day) as integer) as month_number,
    cast(date_trunc('month', worked.date_day) as date) as month_date,
    cast({{ dbt.last_day('worked.date_day', 'month') }} as date) as month_end_date,
    cast(worked.day_of_week as integer) as day_of_week,
    worked.day_of_week >= 6 as is_weekend,
    worked.holiday_name is not null and not coalesce(worked.is_workday, false) as is_holiday,
    worked.is_worked as is_workday,
    worked.date_day = cast({{ dbt.last_day('worked.date_day', 'month') }} as date) as is_month_end,
    worked.date_day = cast({{ dbt.last_day('worked.date_day', 'month') }} as date)
    and mod(cast(extract(month from worked.date_day) as integer), 3) = 0 as is_quarter_end,
    paid.last_worked_date is not null as is_pay_day,
    cast({{ days_between('worked.date_day', 'festivals.festival_date') }} as integer) as days_to_spring_festival,
    worked.holiday_name
from worked
left join paid on worked.date_day = paid.last_worked_date
left join festivals
    on worked.date_day > {{ days_before('festivals.festival_date', 60) }}
        and worked.date_day < {{ days_before('festivals.festival_date', -60) }}
