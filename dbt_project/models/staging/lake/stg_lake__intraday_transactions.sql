-- Events of the last days, as often as they came.
-- Written by `python -m c360.staging_sources`: change the contract in feeds/, or that module, not this file.
with source as (

    select * from {{ source('raw', 'intraday_transactions') }}

),

renamed as (

    select
        txn_id,
        account_no,
        business_date,
        direction,
        amount
    from source

)

select * from renamed
