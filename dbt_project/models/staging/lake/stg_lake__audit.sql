-- The last records of the audit: what was done, by whom, each with the hash of the one before.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'audit') }}

),

renamed as (

    select
        record_number,
        happened_at,
        record_kind,
        done_by,
        subject,
        detail,
        old_sha256,
        new_sha256,
        previous_hash,
        record_hash
    from source

)

select * from renamed
