{{ customers_known_on(ref('int_calendar__ripe_dates'), 'ripe_date') }}
