{{ features_identity(ref('int_calendar__as_of_dates'), 'as_of_date') }}
