{{ positions_known_on(
    ref('stg_branch__holdings_versions'), 'holding_id', 'market_value',
    ref('int_calendar__ripe_dates'), 'ripe_date', features_first_day(var('from_date')), [0],
    ['party_key', 'product_code', 'start_date'],
) }}
