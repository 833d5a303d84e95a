{{ config(schema='pii') }}
-- Grain: pair of party records that look alike and are two customers today, for a clerk to decide.
select
    left_party_key,
    right_party_key,
    left_customer_key,
    right_customer_key,
    match_weight,
    reason,
    evidence,
    known_from as known_date
from {{ ref('stg_lake__identity_review') }}
