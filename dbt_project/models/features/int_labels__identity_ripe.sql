{{ config(schema='build_intermediate', contract={'enforced': false}) }}

{{ features_identity(ref('int_labels__ripe_dates'), 'ripe_date') }}
