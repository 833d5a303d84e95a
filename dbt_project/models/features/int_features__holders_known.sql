{{ config(schema='build_intermediate', contract={'enforced': false}) }}

{{ features_holders(ref('int_features__as_of_dates'), ref('int_features__identity_known'), 'as_of_date') }}
