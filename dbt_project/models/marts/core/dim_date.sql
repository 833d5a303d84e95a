select
    date_day,
    year_number,
    quarter_number,
    month_number,
    month_date,
    month_end_date,
    day_of_week,
    is_weekend,
    is_holiday,
    is_workday,
    is_month_end,
    is_quarter_end,
    is_pay_day,
    days_to_spring_festival,
    holiday_name
from {{ ref('int_calendar__days') }}
