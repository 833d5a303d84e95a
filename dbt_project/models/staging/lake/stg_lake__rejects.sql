-- Rows that were refused, with the reason and the raw text.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('quarantine', 'rejects') }}

),

renamed as (

    select
        feed,
        period,
        version,
        file,
        {{ adapter.quote('row') }},
        column_name,
        reason,
        raw_text,
        business_date,
        account_no_token
    from source

)

select * from renamed
