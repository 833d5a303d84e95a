{{ accounts_known_on(ref('int_calendar__ripe_dates'), ref('int_party__customers_known_on_ripe_dates'), 'ripe_date') }}
