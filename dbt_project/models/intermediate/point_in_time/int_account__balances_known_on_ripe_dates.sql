{{ positions_known_on(
    ref('stg_branch__balances_versions'), 'account_no_token', 'balance',
    ref('int_calendar__ripe_dates'), 'ripe_date', features_first_day(var('from_date')), [0],
) }}
