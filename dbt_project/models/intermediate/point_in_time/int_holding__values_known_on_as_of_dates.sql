{{ positions_known_on(
    ref('stg_branch__holdings_versions'), 'holding_id', 'market_value',
    ref('int_calendar__as_of_dates'), 'as_of_date',
    features_first_day(var('as_of_dates') | min or var('business_date')), sampled_days(),
    ['party_key', 'product_code', 'start_date', 'maturity_date'],
) }}
