-- What was to be sent to each target, and what arrived of it.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'activation_plans') }}

),

renamed as (

    select
        activation,
        plan_number,
        table_name,
        target,
        publish_id,
        business_date,
        added,
        updated,
        deleted,
        delivered,
        refused,
        absent,
        attempts,
        is_closed,
        planned_at,
        last_answer_at,
        run_id
    from source

)

select * from renamed
