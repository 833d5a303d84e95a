-- Pairs of party records that a clerk should look at.
-- Written by `python -m c360.staging_sources`: change the contract in feeds/, or that module, not this file.
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
