-- Cases that last, of which somebody was told, or that somebody has taken on.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'alert_cases') }}

),

renamed as (

    select
        rule,
        case_key,
        receivers,
        last_told_at,
        acknowledged_by,
        acknowledged_at,
        acknowledged_why,
        is_changed
    from source

)

select * from renamed
