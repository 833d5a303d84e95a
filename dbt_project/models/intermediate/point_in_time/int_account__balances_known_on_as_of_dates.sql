{{ positions_known_on(
    ref('stg_branch__balances_versions'), 'account_no_token', 'balance',
    ref('int_calendar__as_of_dates'), 'as_of_date',
    features_first_day(var('as_of_dates') | min or var('business_date')), sampled_days(),
) }}
