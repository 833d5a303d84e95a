-- Rows that were refused, with the reason and the raw text.
-- Written by `python -m c360.staging_sources`: change the contract in feeds/, or that module, not this file.
with source as (

    select * from {{ source('quarantine', 'rejects') }}

),

renamed as (

    select
        feed,
        period,
        version,
        file,
        "row",
        column_name,
        reason,
        raw_text,
        business_date,
        account_no
    from source

)

select * from renamed
