-- Events of the last days, as often as they came.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'intraday_transactions') }}

),

renamed as (

    select
        txn_id,
        business_date,
        direction,
        amount
    from source

)

select * from renamed
