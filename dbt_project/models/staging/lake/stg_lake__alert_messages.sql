-- Who was sent a message about which rule, and whether the target took it.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'alert_messages') }}

),

renamed as (

    select
        message_number,
        message_id,
        rule,
        severity,
        receiver,
        target,
        case_count,
        outcome,
        attempts,
        error,
        publish_id,
        business_date,
        sent_at,
        run_id
    from source

)

select * from renamed
