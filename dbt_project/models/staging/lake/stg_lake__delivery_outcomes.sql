-- What became of each delivery.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'delivery_outcomes') }}

),

renamed as (

    select
        delivery_id,
        feed,
        channel,
        period,
        version,
        load,
        source_hash,
        cutoff_date,
        outcome,
        reason,
        rows_delivered,
        rows_loaded,
        rows_quarantined,
        min_business_date,
        max_business_date,
        late_rows,
        lake_file,
        quarantine_file,
        files,
        lake_sha256,
        quarantine_sha256,
        rows_erased,
        is_erased,
        superseded_date
    from source

)

select * from renamed
