{{ config(schema='build_intermediate', contract={'enforced': false}) }}

{{ features_customer_positions(
    ref('int_labels__balances_ripe'), ref('int_labels__holdings_ripe'),
    ref('int_labels__accounts_ripe'), ref('int_labels__identity_ripe'), 'ripe_date', [0],
) }}
