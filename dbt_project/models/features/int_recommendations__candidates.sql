{{ config(schema='build_intermediate', contract={'enforced': false}, materialized='view') }}

{{ recommendation_candidates('true') }}
