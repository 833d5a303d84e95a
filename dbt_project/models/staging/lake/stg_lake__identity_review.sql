-- Pairs of party records that a clerk should look at.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'identity_review') }}

),

renamed as (

    select
        left_party_key,
        right_party_key,
        left_customer_key,
        right_customer_key,
        match_weight,
        reason,
        evidence,
        known_from
    from source

)

select * from renamed
