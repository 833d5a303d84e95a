{{ products_known_on(ref('int_calendar__as_of_dates'), 'as_of_date') }}
