{{ accounts_known_on(
    ref('int_calendar__as_of_dates'), ref('int_party__customers_known_on_as_of_dates'), 'as_of_date'
) }}
