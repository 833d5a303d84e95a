{{ config(schema='build_intermediate', contract={'enforced': false}) }}

{{ features_identity(ref('int_features__as_of_dates'), 'as_of_date') }}
