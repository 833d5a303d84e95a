-- Events of the last days, as often as they came.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'intraday_wallet_payments') }}

),

renamed as (

    select
        payment_id,
        binding_id,
        business_date,
        amount
    from source

)

select * from renamed
