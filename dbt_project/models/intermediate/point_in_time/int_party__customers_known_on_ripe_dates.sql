{{ features_identity(ref('int_calendar__ripe_dates'), 'ripe_date') }}
