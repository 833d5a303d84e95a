{{ customer_positions_known_on(
    ref('int_account__balances_known_on_as_of_dates'), ref('int_holding__values_known_on_as_of_dates'),
    ref('int_account__known_on_as_of_dates'), ref('int_party__customers_known_on_as_of_dates'), 'as_of_date',
    sampled_days(),
) }}
