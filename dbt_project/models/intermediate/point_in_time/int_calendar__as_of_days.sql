select
    dates.as_of_date,
    days.days_ago,
    {{ features_days_before('dates.as_of_date', 'days.days_ago') }} as business_date
from {{ ref('int_calendar__as_of_dates') }} as dates
cross join (
    values {% for days in range(180) %}({{ days }}){{ ', ' if not loop.last }}{% endfor %}
) as days (days_ago)
