{{ config(schema='build_intermediate', contract={'enforced': false}) }}

{{ features_customer_positions(
    ref('int_features__balances_known'), ref('int_features__holdings_known'),
    ref('int_features__accounts_known'), ref('int_features__identity_known'), 'as_of_date', features_sampled_days(),
) }}
