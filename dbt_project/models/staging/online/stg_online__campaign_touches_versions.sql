-- Campaign contacts, with the random control group that was not contacted. Every version that was ever known.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'campaign_touches') }}

),

renamed as (

    select
        ---------- ids
        cast('cif:' || customer_no as varchar) as party_key,
        touch_id,
        campaign_id,
        customer_no,
        product_code,
        ---------- texts
        channel,
        arm,
        ---------- numbers
        cost,
        ---------- dates and times
        business_date,
        touched_at,
        ---------- lake
        _file,
        _row,
        _known_date,
        _delivery,
        _superseded_date
    from source

)

select * from renamed
