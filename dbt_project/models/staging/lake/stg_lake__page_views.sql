-- Who saw whom in the workbench, who was refused, and what people handed in, of the last days.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'page_views') }}

),

renamed as (

    select
        event_id,
        happened_at,
        business_date,
        publish_id,
        user_name,
        role_name,
        event_kind,
        page,
        customer_key,
        detail
    from source

)

select * from renamed
