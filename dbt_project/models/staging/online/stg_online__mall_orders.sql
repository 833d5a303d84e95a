-- Orders in the bank's shopping mall. Current rows only.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'mall_orders') }}
    where _superseded_date is null

),

renamed as (

    select
        ---------- ids
        cast('online:' || user_id as varchar) as party_key,
        order_id,
        user_id,
        ---------- texts
        category,
        status,
        ---------- numbers
        amount,
        ---------- dates and times
        business_date,
        ordered_at,
        ---------- lake
        _file,
        _row,
        _known_date,
        _delivery,
        _superseded_date
    from source

)

select * from renamed
