-- Party records and their customers, from the identity step.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'customer_xref') }}

),

renamed as (

    select
        party_key,
        customer_key,
        rule,
        match_weight,
        valid_from,
        valid_to
    from source

)

select * from renamed
