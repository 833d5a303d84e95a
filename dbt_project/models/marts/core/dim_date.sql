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
    holiday_name
from {{ ref('int_calendar__days') }}
