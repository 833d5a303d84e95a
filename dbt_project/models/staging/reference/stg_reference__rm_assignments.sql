-- Which relationship manager looked after which customer, and when. Current rows only.
-- Written by `python -m lakehouse.warehouse.dbt_sources` from feeds/ and lakehouse/catalog.py: change those.
with source as (

    select * from {{ source('raw', 'rm_assignments') }}
    where _superseded_date is null

),

renamed as (

    select
        ---------- ids
        cast('cif:' || customer_no as varchar) as party_key,
        customer_no,
        rm_id,
        ---------- dates and times
        valid_from,
        valid_to,
        ---------- lake
        _file,
        _row,
        _known_date,
        _delivery,
        _superseded_date
    from source

)

select * from renamed
