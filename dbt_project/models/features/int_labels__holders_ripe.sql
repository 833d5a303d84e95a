{{ config(schema='build_intermediate', contract={'enforced': false}) }}

{{ features_holders(ref('int_labels__ripe_dates'), ref('int_labels__identity_ripe'), 'ripe_date') }}
